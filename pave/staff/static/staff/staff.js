/* What the staff's pages do in the browser; all of them work without it, but for copying. */
'use strict';
{
    /* The user's time zone: the server reads it from this cookie. */
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const known = document.cookie.split('; ').find((one) => one.startsWith('pave_zone='));
    if (zone && known !== `pave_zone=${zone}`) {
        const secure = location.protocol === 'https:' ? '; Secure' : '';
        document.cookie = `pave_zone=${zone}; path=/admin/; max-age=31536000; SameSite=Lax${secure}`;
        if (document.cookie.includes(`pave_zone=${zone}`) && !document.querySelector('form[method=post] .errornote, .secret, [data-unsaved]')) {
            location.replace(location.href);
        }
    }

    /* Buttons that copy what stands elsewhere on the page. */
    document.addEventListener('click', async (event) => {
        const button = event.target.closest('[data-copy]');
        if (!button) {
            return;
        }
        const source = document.getElementById(button.dataset.copy);
        try {
            await navigator.clipboard.writeText(source.textContent.trim());
            button.textContent = 'Copied';
        } catch {
            getSelection().selectAllChildren(source);
            button.textContent = 'Selected';
        }
    });

    /* Menus and filters close when one clicks elsewhere, or presses Escape. */
    const open = () => document.querySelectorAll('details.menu[open], details.filter[open]');
    document.addEventListener('click', (event) => {
        open().forEach((one) => one.contains(event.target) || one.removeAttribute('open'));
    });
    document.addEventListener('keydown', (event) => {
        if (event.key === 'Escape') {
            open().forEach((one) => {
                one.removeAttribute('open');
                one.querySelector('summary').focus();
            });
        } else if (event.key === '/' && !event.target.closest('input, textarea, select')) {
            event.preventDefault();
            document.querySelector('.global-search input')?.focus();
        }
    });

    /* On a phone a list's rows are cards: each cell says what it is. */
    for (const table of document.querySelectorAll('#result_list, table.plain')) {
        const heads = [...table.querySelectorAll('thead th')].map((one) => one.textContent.trim());
        for (const row of table.querySelectorAll('tbody tr')) {
            [...row.children].forEach((cell, place) => {
                cell.dataset.label = heads[place] || '';
                cell.classList.toggle('is-empty', !cell.textContent.trim() && !cell.children.length);
            });
        }
    }

    /* Panels of running work are refreshed until it is done. */
    const renew = async (part) => {
        try {
            const answer = await fetch(location.href, {headers: {'X-Renew': '1'}});
            const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
            const fresh = page.getElementById(part.id);
            if (fresh) {
                part.replaceWith(document.importNode(fresh, true));
            }
        } finally {
            watch();
        }
    };
    const watch = () => {
        const part = document.querySelector('[data-renew]');
        if (part) {
            setTimeout(renew, 1000 * Number(part.dataset.renew), part);
        }
    };
    watch();
}
