//! A headless Chromium that opens a page and is asked about it.

// Each test program uses a part of it.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{Emulation, Input, Log, Network, Page, Runtime};
use headless_chrome::{Browser, LaunchOptions, Tab};
use serde_json::{Value, json};

/// Software WebGL, as on a machine without a GPU.
pub const WEBGL: &[&str] =
    &["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
/// No WebGL at all.
pub const NO_WEBGL: &[&str] = &["--disable-3d-apis"];

/// Of Deque's axe-core, npm's `axe-core` 4.14.1.
const AXE: &str = include_str!("../assets/axe/axe.min.js");
/// Far above what any step here takes.
const HANGS: Duration = Duration::from_secs(120);

/// A page that is open in a browser of its own.
pub struct Open {
    tab: Arc<Tab>,
    requests: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
}

impl Open {
    /// Opens a file in a window of this width, with scripts or without.
    pub fn file(path: &Path, width: u32, flags: &[&'static str], scripts: bool) -> Self {
        let open = Self::empty(width, flags, scripts);
        open.go(&format!("file://{}", path.display()));
        open
    }

    /// Opens a window of this width with nothing in it.
    pub fn empty(width: u32, flags: &[&'static str], scripts: bool) -> Self {
        let options = LaunchOptions::default_builder()
            .sandbox(false)
            .enable_gpu(true)
            .idle_browser_timeout(HANGS)
            .args(flags.iter().map(OsStr::new).collect())
            .build()
            .unwrap();
        let browser =
            Browser::new(options).expect("a Chromium or Chrome: scripts/test installs one");
        let tab = browser.new_tab().unwrap();
        tab.set_default_timeout(HANGS);
        let (requests, errors) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (asked, failed) = (requests.clone(), errors.clone());
        let listener = move |event: &Event| match event {
            Event::NetworkRequestWillBeSent(sent) => {
                asked.lock().unwrap().push(sent.params.request.url.clone());
            }
            Event::RuntimeExceptionThrown(thrown) => {
                failed.lock().unwrap().push(format!("{:?}", thrown.params.exception_details));
            }
            Event::LogEntryAdded(entry)
                if entry.params.entry.level == Log::LogEntryLevel::Error =>
            {
                failed.lock().unwrap().push(entry.params.entry.text.clone());
            }
            Event::RuntimeConsoleAPICalled(call)
                if call.params.Type == Runtime::ConsoleAPICalledEventTypeOption::Error =>
            {
                failed.lock().unwrap().push(format!("{:?}", call.params.args));
            }
            _ => {}
        };
        tab.add_event_listener(Arc::new(listener)).unwrap();
        tab.call_method(Network::Enable {
            max_total_buffer_size: None,
            max_resource_buffer_size: None,
            max_post_data_size: None,
            report_direct_socket_traffic: None,
            enable_durable_messages: None,
        })
        .unwrap();
        tab.enable_runtime().unwrap();
        tab.enable_log().unwrap();
        tab.call_method(Emulation::SetScriptExecutionDisabled { value: !scripts }).unwrap();
        let open = Self { tab, requests, errors, _browser: browser };
        open.resize(width);
        open
    }

    /// Goes to an address.
    pub fn go(&self, url: &str) {
        self.tab.navigate_to(url).unwrap().wait_until_navigated().unwrap();
    }

    /// Gives the page a width in CSS pixels, as of a phone where it is small.
    pub fn resize(&self, width: u32) {
        let size = Emulation::SetDeviceMetricsOverride {
            width,
            height: 900,
            device_scale_factor: 1.0,
            mobile: width < 600,
            scale: None,
            screen_width: None,
            screen_height: None,
            position_x: None,
            position_y: None,
            dont_set_visible_size: None,
            screen_orientation: None,
            viewport: None,
            display_feature: None,
            device_posture: None,
        };
        self.tab.call_method(size).unwrap();
    }

    /// Shows the page as `media` (`screen` or `print`), light or dark.
    pub fn appear(&self, media: &str, scheme: &str) {
        let scheme =
            Emulation::MediaFeature { name: "prefers-color-scheme".into(), value: scheme.into() };
        self.tab
            .call_method(Emulation::SetEmulatedMedia {
                media: Some(media.into()),
                features: Some(vec![scheme]),
            })
            .unwrap();
    }

    /// The value of a JavaScript expression, or of the promise that it is, as JSON.
    pub fn value(&self, expression: &str) -> Value {
        let json = format!("(async () => JSON.stringify(await ({expression})) ?? 'null')()");
        let found = self.tab.evaluate(&json, true);
        let found = found.unwrap_or_else(|error| panic!("{expression}: {error}"));
        serde_json::from_str(found.value.unwrap().as_str().unwrap()).unwrap()
    }

    /// Waits until a JavaScript expression is true, also while another page is being loaded.
    pub fn wait_for(&self, expression: &str) {
        let is_true = || {
            let found = self.tab.evaluate(expression, false).ok().and_then(|found| found.value);
            found == Some(json!(true))
        };
        let begin = Instant::now();
        while !is_true() {
            assert!(begin.elapsed() < HANGS, "never: {expression}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs statements.
    pub fn script(&self, source: &str) {
        self.tab.evaluate(source, false).unwrap();
    }

    /// Presses a key on the element that has the focus.
    pub fn press(&self, key: &str) {
        self.tab.press_key(key).unwrap();
    }

    /// Presses the mouse in the middle of an element and moves it, without letting go.
    pub fn grab(&self, selector: &str) {
        let middle = self.tab.find_element(selector).unwrap().get_midpoint().unwrap();
        self.mouse(Input::DispatchMouseEventTypeOption::MousePressed, middle.x, middle.y);
        for step in 1..=5 {
            let x = middle.x + 20.0 * f64::from(step);
            self.mouse(Input::DispatchMouseEventTypeOption::MouseMoved, x, middle.y);
        }
    }

    /// Lets go of what was grabbed.
    pub fn let_go(&self, selector: &str) {
        let middle = self.tab.find_element(selector).unwrap().get_midpoint().unwrap();
        self.mouse(Input::DispatchMouseEventTypeOption::MouseReleased, middle.x + 100.0, middle.y);
    }

    fn mouse(&self, event: Input::DispatchMouseEventTypeOption, x: f64, y: f64) {
        self.tab
            .call_method(Input::DispatchMouseEvent {
                Type: event,
                x,
                y,
                modifiers: None,
                timestamp: None,
                button: Some(Input::MouseButton::Left),
                buttons: Some(1),
                click_count: Some(1),
                force: None,
                tangential_pressure: None,
                tilt_x: None,
                tilt_y: None,
                twist: None,
                delta_x: None,
                delta_y: None,
                pointer_Type: None,
            })
            .unwrap();
    }

    /// Moves the mouse over the first element that a selector finds.
    pub fn hover(&self, selector: &str) {
        self.tab.find_element(selector).unwrap().move_mouse_over().unwrap();
    }

    /// Coloured pixels on the screen where an element is: those that are no shade of grey.
    pub fn coloured_pixels(&self, selector: &str) -> u64 {
        let place = self.value(&format!(
            "(async () => {{ const element = document.querySelector('{selector}');
                             element.scrollIntoView({{ behavior: 'instant', block: 'center' }});
                             // What changed is on the screen some frames later.
                             for (let frame = 0; frame < 5; frame++) {{
                                 await new Promise(requestAnimationFrame);
                             }}
                             const {{ x, y, width, height }} = element.getBoundingClientRect();
                             return [x + scrollX, y + scrollY, width, height]; }})()"
        ));
        let [x, y, width, height] = [0, 1, 2, 3].map(|i| place[i].as_f64().unwrap());
        let shot = self.tab.call_method(Page::CaptureScreenshot {
            format: Some(Page::CaptureScreenshotFormatOption::Png),
            quality: None,
            clip: Some(Page::Viewport { x, y, width, height, scale: 1.0 }),
            from_surface: Some(true),
            capture_beyond_viewport: Some(true),
            optimize_for_speed: None,
        });
        let count = self.value(&format!(
            "new Promise((resolve) => {{
                 const image = new Image();
                 image.onload = () => {{
                     const canvas = new OffscreenCanvas(image.width, image.height);
                     const context = canvas.getContext('2d');
                     context.drawImage(image, 0, 0);
                     const {{ data }} = context.getImageData(0, 0, image.width, image.height);
                     let coloured = 0;
                     for (let i = 0; i < data.length; i += 4) {{
                         const channels = [data[i], data[i + 1], data[i + 2]];
                         coloured += Math.max(...channels) - Math.min(...channels) > 60 ? 1 : 0;
                     }}
                     resolve(coloured);
                 }};
                 image.src = 'data:image/png;base64,{}';
             }})",
            shot.unwrap().data
        ));
        count.as_u64().unwrap()
    }

    /// What the page asked for, itself left out.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let inside = |url: &&String| url.starts_with("data:") || url.starts_with("blob:");
        requests.iter().skip(1).filter(|url| !inside(url)).cloned().collect()
    }

    /// What went wrong on the page.
    pub fn errors(&self) -> Vec<String> {
        self.errors.lock().unwrap().clone()
    }
}

/// Nothing sticks out sideways, on a phone neither, and axe-core has no serious finding.
pub fn everyone_can_use(page: &Open) {
    for (media, scheme, width) in
        [("screen", "light", 1200), ("screen", "dark", 1200), ("screen", "light", 360)]
    {
        page.appear(media, scheme);
        page.resize(width);
        let wide = page.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{wide} pixels wide at {width}");
        page.script(AXE);
        let found = page.value(
            "axe.run().then(({ violations }) => violations
                .filter(({ impact }) => impact === 'serious' || impact === 'critical')
                .map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]))",
        );
        assert_eq!(found, json!([]), "{scheme}, {width} pixels");
    }
    assert_eq!(page.errors(), [""; 0]);
}
