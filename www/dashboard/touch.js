// touch.js: a finger on a chart. Along it a stretch is selected, as by dragging with a mouse; up and down the page
// scrolls, and a tap moves the crosshair, by the mouse events that the browser makes of it.
//
// dashboard.css leaves scrolling and pinching to the browser (touch-action); what it takes over is cancelled here.

/** Selects in `plot`, which is uPlot's, and tells by its hook setSelect. */
export function followFinger(plot) {
    const { over } = plot;
    let start = null;

    const select = (left, right, isDone) => {
        const height = over.clientHeight;
        plot.setSelect({ left, width: right - left, top: 0, height: right > left ? height : 0 }, isDone);
    };
    const placeOf = (event) =>
        Math.max(0, Math.min(over.clientWidth, event.clientX - over.getBoundingClientRect().left));

    const moved = (event, isDone) => {
        if (start === null || !event.isPrimary)
            return;
        const place = placeOf(event);
        select(Math.min(start, place), Math.max(start, place), isDone);
        plot.setCursor({ left: place, top: over.clientHeight / 2 });
        if (isDone)
            start = null;
    };
    const ended = () => {
        if (start !== null)
            select(0, 0, false);
        start = null;
    };

    over.addEventListener('pointerdown', (event) => {
        ended(); // a second finger wants something else
        if (event.pointerType === 'touch' && event.isPrimary)
            start = placeOf(event);
    });
    over.addEventListener('pointermove', (event) => moved(event, false));
    over.addEventListener('pointerup', (event) => moved(event, true));
    over.addEventListener('pointercancel', ended);
}
