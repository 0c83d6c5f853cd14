// early.js: what is done before anything is painted. Loaded as a blocking script, so it is small.
(() => {
    const root = document.documentElement;
    try {
        const theme = localStorage.getItem('theme');
        if (theme === 'light' || theme === 'dark')
            root.dataset.theme = theme;
    } catch {
        // No storage: the system's theme it is.
    }
    // The page of a type draws with uPlot; others do without.
    const query = new URLSearchParams(location.search);
    if (query.has('type') && !query.has('page')) {
        const link = document.createElement('link');
        link.rel = 'preload';
        link.as = 'script';
        link.href = new URL('uPlot.iife.min.js', document.currentScript.src).href;
        document.head.append(link);
    }
})();
