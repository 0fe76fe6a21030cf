//! The script that loads the WASM and hydrates the island.

use leptos::{nonce::use_nonce, prelude::*, reactive::owner::Owner};

/// Loads both files at once, when the browser is idle after the first paint: on a slow connection they would compete with
/// it. A page in the background isn't painted.
const SCRIPT: &str = "\
const painted = (next) => document.hidden ? next() : requestAnimationFrame(() => requestAnimationFrame(next));
painted(() => (window.requestIdleCallback ?? setTimeout)(async () => {
  const wasm = fetch('/pkg/NAME_bg.wasm');
  const page = await import('/pkg/NAME.js');
  await page.default({ module_or_path: wasm });
  page.hydrate();
  for (const island of document.querySelectorAll('leptos-island')) page[island.dataset.component]?.(island);
}));";

/// Renders the script. `name`: the files' name in `/pkg`, without its ending.
///
/// In place of `leptos::hydration::HydrationScripts`, which also preloads both files: on a slow connection they compete
/// with the stylesheet, and the first page appears 0.6 s later (Lighthouse, slow 4G). The islands here have no children
/// and aren't nested, so the walk of its script through the document isn't needed either.
pub fn start_script(name: &str) -> impl IntoView + use<> {
    if let Some(shared) = Owner::current_shared_context() {
        // As `HydrationScripts` does for islands: only they are hydrated, so nothing else is serialized.
        shared.set_is_hydrating(false);
    }
    view! {
        <script type="module" nonce=use_nonce()>
            {SCRIPT.replace("NAME", name)}
        </script>
    }
}
