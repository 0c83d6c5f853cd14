/* global SwaggerUIBundle */

// --- what Swagger UI leaves nameless, or out of reach of the keyboard

const NAMES = {
    '#servers': 'Server',
    '.body-param__text': 'Body',
    'input[type="file"]': 'Body, from a file',
    '.examples-select-element': 'Example',
    '.close-modal': 'Close',
    '.auth-btn-wrapper .authorize': 'Authorize with this',
};

function complete() {
    for (const [selector, name] of Object.entries(NAMES))
        document.querySelectorAll(selector).forEach((node) => node.setAttribute('aria-label', name));
    for (const row of document.querySelectorAll('tr[data-param-name]'))
        row.querySelectorAll('select').forEach((node) => node.setAttribute('aria-label', row.dataset.paramName));
    // What is scrolled by a wheel is by the arrow keys as well.
    for (const node of document.querySelectorAll('.microlight')) {
        if (node.scrollHeight > node.clientHeight || node.scrollWidth > node.clientWidth)
            node.tabIndex = 0;
    }
}

new MutationObserver(complete).observe(document.getElementById('documentation'), { childList: true, subtree: true });
addEventListener('resize', complete);

/** Its links are within the buttons that unfold what they name, which nobody can reach in there: so they are words. */
const wordsForLinks = ({ React }) => ({
    components: { DeepLink: ({ text }) => React.createElement('span', null, text) },
});

SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#documentation',
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    plugins: [wordsForLinks],
});
