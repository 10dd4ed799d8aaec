//! The report in a real browser: it fetches nothing, its controls do what they say, its view in space
//! draws, and everyone can use it.

#[path = "common/browser.rs"]
mod browser;
mod common;

use browser::{NO_WEBGL, Open, WEBGL, everyone_can_use};
use common::{Place, QUICK, two_groups};
use serde_json::json;

const INJECTION: &str = "</script><img src=x onerror=alert(1)>";

/// A run on four columns, one with a name that is an attack and one with a name that is too long, and
/// two labels.
fn finished_run() -> Place {
    let place = Place::new();
    let long = "long ".repeat(40);
    place.write("my.csv", two_groups(&["a", "b", INJECTION, &long], 200));
    let more = "--set analysis.perplexities=[5,30] --set model.latent=2";
    place.succeed(&format!("run my.csv --labels kind --out run {QUICK} {more}"));
    place
}

fn open(place: &Place, width: u32, flags: &[&'static str], scripts: bool) -> Open {
    Open::file(&place.path("run/report.html"), width, flags, scripts)
}

/// Chooses `value` of a control of a view, as a user does.
fn choose(page: &Open, view: &str, control: &str, value: &str) {
    page.script(&format!(
        "{{ const form = document.querySelector('.view[data-view={view}] form');
            const control = form.elements['{control}'];
            control.value = '{value}';
            form.dispatchEvent(new Event('input')); }}"
    ));
}

/// Text in pictures can be read on a phone, and no table is cut on paper.
fn nothing_is_lost(page: &Open) {
    page.appear("screen", "light");
    page.resize(360);
    let small =
        "[...document.querySelectorAll('.picture svg')].filter((svg) => svg.checkVisibility()
        && svg.getBoundingClientRect().width < 0.6 * svg.getAttribute('width'))
        .map(({ ariaLabel }) => ariaLabel)";
    assert_eq!(page.value(small), json!([]));
    page.appear("print", "light");
    page.resize(718);
    let cut = "[...document.querySelectorAll('.scroll')].filter((part) => part.checkVisibility()
        && part.scrollWidth > part.clientWidth).map(({ ariaLabel }) => ariaLabel)";
    assert_eq!(page.value(cut), json!([]));
}

/// The value of an expression about `traces`, the traces of a view.
fn about(page: &Open, view: &str, expression: &str) -> serde_json::Value {
    let chart = format!("document.querySelector('.view[data-view={view}] .chart')");
    page.value(&format!(
        "(({{ data: traces, layout }}) => {{
            const points = traces.filter(({{ mode }}) => mode === 'markers');
            const sets = [...new Set(points.map(({{ name }}) => name))];
            const count = points.reduce((sum, {{ x }}) => sum + x.length, 0);
            const colors = [...new Set(points.map(({{ marker }}) => marker.color))];
            return {expression};
        }})({chart})"
    ))
}

#[test]
fn the_page_fetches_nothing_names_are_text_and_everyone_can_use_it() {
    let place = finished_run();
    assert!(place.read("run/report.html").len() < 6_000_000);
    let page = open(&place, 1200, WEBGL, true);
    assert_eq!(page.requests(), [""; 0]);
    assert_eq!(page.errors(), [""; 0]);
    assert_eq!(page.value("document.querySelectorAll('img, script[src], link').length"), 0);
    let text = page.value("document.body.innerText");
    for name in [INJECTION, "long ".repeat(40).trim_end()] {
        assert!(text.as_str().unwrap().contains(name), "{name}");
    }
    let about_axis = "layout.scene.zaxis.title.text";
    assert_eq!(about(&page, "rows", about_axis), INJECTION[..31].replace('<', "&lt;") + "…");

    everyone_can_use(&page);
    nothing_is_lost(&page);
}

/// The pages on several runs: of a comparison, and of a sweep.
#[test]
fn pages_on_several_runs_fetch_nothing_and_everyone_can_use_them() {
    let place = Place::new();
    place.write("grid.toml", "seeds = 2\n[grid]\ntraining.beta = [0.5, 1.0]\n");
    place.succeed(&format!("sweep --grid grid.toml --out sweep {QUICK}"));
    place.succeed(&format!("run --recipe classic --out <i>classic {QUICK}"));
    place.succeed("compare sweep/best <i>classic");
    for path in ["sweep/report.html", "compare.html"] {
        let page = Open::file(&place.path(path), 1200, NO_WEBGL, true);
        assert_eq!((page.requests(), page.errors()), (vec![], vec![]), "{path}");
        everyone_can_use(&page);
        nothing_is_lost(&page);
    }
    let page = place.read("sweep/report.html");
    let tied = page.matches(" ≈</th>").count();
    assert!(page.contains(&format!("{tied} of 1 cannot be told apart from the best")), "{tied}");
    assert!(page.contains("Intervals of 2 seeds are rough"));
}

#[test]
fn each_control_does_what_it_says() {
    let place = finished_run();
    let page = open(&place, 1200, WEBGL, true);
    let rows = |expression: &str| about(&page, "rows", expression);
    // 180 rows to train on and as many of the 200 samples beside them.
    assert_eq!(rows("[sets, count]"), json!([["real", "generated"], 360]));
    choose(&page, "rows", "sets", "generated");
    assert_eq!(rows("[sets, count]"), json!([["generated"], 200]));
    choose(&page, "rows", "sets", "real");
    assert_eq!(rows("[sets, count]"), json!([["real"], 180]));
    // After three epochs little is learned, so the sets are told apart first.
    let swatch =
        "document.querySelector('.view[data-view=rows] .classes .swatch').checkVisibility()";
    assert_eq!((rows("colors.length"), page.value(swatch)), (json!(1), json!(false)));
    choose(&page, "rows", "colour", "class");
    assert_eq!(rows("colors"), json!(["#0072B2", "#D55E00"]));
    assert_eq!(page.value(swatch), true);
    let template = rows("points[1].hovertemplate");
    for part in ["real row %{customdata}", "mode right", "a: %{x}"] {
        assert!(template.as_str().unwrap().contains(part), "{template}");
    }
    let largest = "points.flatMap(({ x }) => x).reduce((a, b) => Math.max(a, b))";
    assert!(rows(largest).as_f64().unwrap() > 8.0);
    choose(&page, "rows", "values", "scaled");
    assert_eq!(rows(largest), 1.0);
    choose(&page, "rows", "colour", "set");
    choose(&page, "rows", "y", "3");
    assert!(rows("layout.scene.yaxis.title.text").as_str().unwrap().starts_with("long"));
    let none = "document.querySelector('.view[data-view=rows] [data-all=false]').click()";
    page.script(none);
    assert_eq!(rows("count"), 0);
    page.script("document.querySelector('.view[data-view=rows] input[name=class]').click()");
    assert_eq!(rows("count"), json!(rows("points[0].x.length")));
    page.script("document.querySelector('.view[data-view=rows] [data-all=true]').click()");
    assert_eq!(rows("count"), 180);

    let latent = |expression: &str| about(&page, "latent", expression);
    let chart = ".view[data-view=latent] .chart";
    let bare = page.coloured_pixels(chart);
    for map in ["ratio", "0"] {
        choose(&page, "latent", "map", map);
        assert_eq!(latent("layout.images.length"), 1);
        // After three epochs the map is as small as the place that the means fill.
        let mapped = page.coloured_pixels(chart);
        assert!(mapped > bare + 100, "{mapped} coloured pixels after {bare}");
    }
    assert!(latent("traces.filter(({ name }) => name === 'prior').length").as_u64().unwrap() > 0);

    let tsne = |expression: &str| about(&page, "tsne", expression);
    assert_eq!(tsne("[sets, count]"), json!([["real", "generated"], 2 * 180]));
    let before = tsne("points[0].x");
    choose(&page, "tsne", "perplexity", "5");
    assert_ne!(tsne("points[0].x"), before);
    choose(&page, "tsne", "kind", "latent");
    assert_eq!(tsne("[sets, count]"), json!([["latent"], 180]));

    page.hover(".view[data-view=tsne] .points path");
    let shown = "document.querySelector('.view[data-view=tsne] .hovertext')?.textContent ?? ''";
    let waited = format!(
        "new Promise((done) => {{ const look = (left) => {{ const text = {shown};
            text || !left ? done(text) : setTimeout(() => look(left - 1), 50); }}; look(100); }})"
    );
    let text = page.value(&waited);
    assert!(text.as_str().unwrap().contains("latent row "), "{text}");
    assert_eq!(page.errors(), [""; 0]);
}

#[test]
fn the_view_in_space_draws_and_the_keys_turn_it() {
    let place = finished_run();
    let page = open(&place, 1200, WEBGL, true);
    let chart = ".view[data-view=rows] .chart";
    choose(&page, "rows", "colour", "class");
    let both = page.coloured_pixels(chart);
    assert!(both > 1000, "{both} coloured pixels");
    choose(&page, "rows", "sets", "real");
    let real = page.coloured_pixels(chart);
    assert!(real > 500 && real < both, "{real} coloured pixels after {both}");
    page.script("document.querySelector('.view[data-view=rows] [data-all=false]').click()");
    let none = page.coloured_pixels(chart);
    assert!(none < 50, "{none} coloured pixels of no points");

    let eye = || {
        let eye = about(&page, "rows", "layout.scene.camera.eye");
        ["x", "y", "z"].map(|axis| eye[axis].as_f64().unwrap())
    };
    let distance = |[x, y, z]: [f64; 3]| x.hypot(y).hypot(z);
    let start = eye();
    page.script(&format!("document.querySelector('{chart}').focus()"));
    page.press("ArrowRight");
    let turned = eye();
    assert!(turned != start && (distance(turned) - distance(start)).abs() < 1e-9);
    page.press("ArrowUp");
    assert!(eye()[2] > turned[2]);
    page.script("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '+' }))");
    assert!(distance(eye()) < 0.9 * distance(start));
    page.script("document.querySelector('.view[data-view=rows] [data-reset]').click()");
    assert_eq!(eye(), start);
    assert_eq!(page.errors(), [""; 0]);
}

/// A class has another colour on a dark page: in a view, beside its control and in a picture.
#[test]
fn colours_follow_the_page_into_the_dark() {
    let place = finished_run();
    let page = open(&place, 1200, WEBGL, true);
    choose(&page, "rows", "colour", "class");
    let swatch = "getComputedStyle(document.querySelector('.swatch')).backgroundColor";
    let point = "getComputedStyle(document.querySelector('.picture [fill=\"#0072B2\"]')).fill";
    let colors = || [about(&page, "rows", "colors[0]"), page.value(swatch), page.value(point)];
    assert_eq!(colors(), ["#0072B2", "rgb(0, 114, 178)", "rgb(0, 114, 178)"]);
    page.appear("screen", "dark");
    let drawn = "document.querySelector('.view[data-view=rows] .chart').data[0].marker.color";
    page.wait_for(&format!("{drawn} === '#338EC1'"));
    assert_eq!(colors(), ["#338EC1", "rgb(51, 142, 193)", "rgb(51, 142, 193)"]);
}

/// A swipe over a chart scrolls the page, until a tap turns to the chart.
#[test]
fn a_chart_keeps_no_one_from_scrolling() {
    let place = finished_run();
    let page = open(&place, 390, WEBGL, true);
    let chart = "document.querySelector('.view[data-view=rows] .chart')";
    let action = || page.value(&format!("getComputedStyle({chart}).touchAction"));
    // Whether plotly.js, which keeps the page where it is, hears of a touch.
    let is_heard = || {
        page.value(&format!(
            "(() => {{ let heard = false;
                const inner = {chart}.querySelector('canvas');
                inner.addEventListener('touchmove', () => {{ heard = true; }}, {{ once: true }});
                inner.dispatchEvent(new Event('touchmove', {{ bubbles: true }}));
                return heard; }})()"
        ))
    };
    assert_eq!((action(), is_heard()), (json!("pan-y pinch-zoom"), json!(false)));
    page.script(&format!("{chart}.click()"));
    assert_eq!(action(), "none");
    page.script("document.body.dispatchEvent(new Event('pointerdown', { bubbles: true }))");
    assert_eq!((action(), is_heard()), (json!("pan-y pinch-zoom"), json!(false)));
}

#[test]
fn pictures_stand_where_there_is_no_webgl_no_script_and_in_print() {
    let place = finished_run();
    let seen = "[...document.querySelectorAll('.view')].map((view) =>
        ['.chart', '.problem', '.instead', 'form'].map((part) =>
            view.querySelector(part)?.checkVisibility() ?? false))";
    // Without WebGL the views in the plane still draw.
    let flat = json!([true, false, false, true]);
    let picture = json!([false, false, true, false]);
    let page = open(&place, 1200, NO_WEBGL, true);
    assert_eq!(page.value(seen), json!([[false, true, true, false], flat, flat]));
    assert_eq!(page.errors(), [""; 0]);
    let page = open(&place, 1200, WEBGL, false);
    assert_eq!(page.value(seen), json!([picture, picture, picture]));
    let page = open(&place, 1200, WEBGL, true);
    assert_eq!(page.value(seen), json!([flat, flat, flat]));
    page.appear("print", "dark");
    assert_eq!(page.value(seen), json!([picture, picture, picture]));
    let pictures = "[...document.querySelectorAll('.picture svg')].every((svg) => svg.ariaLabel)";
    assert_eq!(page.value(pictures), true);
}
