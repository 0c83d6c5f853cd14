// colour.js: the colours of the theme, as a canvas takes them.

const known = new Map();

/** A colour of dashboard.css by its name there, without the dashes. */
export function colour(name) {
    let text = known.get(name);
    if (!text) {
        const probe = document.getElementById('probe');
        probe.style.color = `var(--${name})`;
        known.set(name, text = getComputedStyle(probe).color);
    }
    return text;
}

/** The theme has changed. */
export const forgetColours = () => known.clear();
