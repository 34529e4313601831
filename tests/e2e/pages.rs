//! The pages that a person sees, in a real browser. `KEYGATE_AXE` may name `axe.min.js` of
//! axe-core: it then looks at each of them, and must find nothing.

use keygate_tests::Stack;
use keygate_tests::browser::Browser;

use crate::support::{keep_picture, sign};

/// A phone and a desktop, in CSS pixels.
const SCREENS: [(&str, u32, u32); 2] = [("phone", 390, 760), ("desktop", 1200, 800)];

/// Perceived brightness of the background of an element, 0 to 255.
fn brightness(browser: &Browser, selector: &str) -> f64 {
    let background = format!(
        "getComputedStyle(document.querySelector('{selector}')).backgroundColor.match(/[0-9.]+/g)"
    );
    let color = browser.value_of(&background);
    let part = |at: usize| color[at].as_str().unwrap().parse::<f64>().unwrap();
    0.299 * part(0) + 0.587 * part(1) + 0.114 * part(2)
}

/// The logo and the style sheet passed the content security policy, and nothing overflows.
fn assert_rendered(browser: &Browser) {
    let logo = browser.value_of("document.querySelector('.brand img').naturalWidth > 0");
    assert_eq!(logo, true, "the logo did not load");
    let line = browser.value_of("getComputedStyle(document.querySelector('main')).borderTopColor");
    assert_eq!(line, "rgb(15, 118, 110)", "the colour of the brand");
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.value_of(fits), true, "the page is too wide");
    assert_eq!(browser.value_of("document.documentElement.lang"), "en");
    let name = browser.value_of("document.querySelector('.brand img').alt");
    assert_eq!(name, "Keygate Demo");
    let help = browser.value_of("document.querySelector('a.help').href");
    assert_eq!(help, "mailto:help@keygate.example");
}

/// axe-core finds no violation of its rules, contrast among them.
fn assert_accessible(browser: &Browser, name: &str) {
    let Some(path) = std::env::var_os("KEYGATE_AXE") else {
        return;
    };
    browser.run(&std::fs::read_to_string(path).unwrap());
    let found = browser.promised("axe.run().then(it => it.violations.map(it => it.id))");
    assert_eq!(found, serde_json::json!([]), "{name}");
}

#[test]
fn a_rejected_page_explains_itself_in_both_color_schemes() {
    let stack = Stack::start();
    let browser = Browser::start();
    let expired = sign("/media/cat.jpg", &["--now", "2020-01-01T00:00:00Z"]);
    let forged = format!("{}AAAA", &sign("/media/cat.jpg", &[])[..60]);
    for (name, path, title) in [
        (
            "incomplete",
            "/media/cat.jpg".to_owned(),
            "This link is incomplete",
        ),
        ("invalid", forged, "This link does not work"),
        ("expired", expired, "This link has expired"),
        (
            "elsewhere",
            "/nowhere".to_owned(),
            "You can't open this from here",
        ),
    ] {
        for (screen, width, height) in SCREENS {
            browser.resize(width, height);
            for scheme in ["light", "dark"] {
                browser.prefer(scheme);
                browser.open(&format!("http://127.0.0.1:{}{path}", stack.envoy.port()));
                let text = browser.text();
                assert!(text.starts_with(title), "{text}");
                assert!(text.contains("Get help"), "{text}");
                let (_, id) = text.split_once("Reference: ").unwrap();
                assert_eq!(id.trim().len(), 36, "the id of the request");
                let whole = browser.value_of("document.title");
                assert_eq!(whole, format!("{title} · Keygate Demo"));
                let is_dark = brightness(&browser, "main") < 64.0;
                assert_eq!(is_dark, scheme == "dark", "{name} in the {scheme} scheme");
                assert_rendered(&browser);
                assert_accessible(&browser, name);
                keep_picture(&browser, &format!("{name}-{screen}-{scheme}"));
            }
        }
    }
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn a_challenge_page_carries_the_brand_in_both_color_schemes() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["rules"][1]["mode"] = "challenge".into();
            policy["rules"][1]["challenge"] = serde_json::json!({ "secrets": "media" });
        })
        .start();
    let browser = Browser::start();
    // The clock is past every pause, so that the calculation never ends.
    browser.run_first("performance.now = () => Infinity;");
    for (screen, width, height) in SCREENS {
        browser.resize(width, height);
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            browser.open(&format!(
                "http://127.0.0.1:{}/media/cat.jpg",
                stack.envoy.port()
            ));
            browser.wait_for_text("Calculating");
            let title = browser.value_of("document.title");
            assert_eq!(title, "Checking your browser · Keygate Demo");
            assert_eq!(brightness(&browser, "main") < 64.0, scheme == "dark");
            assert_rendered(&browser);
            assert_accessible(&browser, "challenge");
            keep_picture(&browser, &format!("challenge-{screen}-{scheme}"));
        }
    }
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn an_expired_link_of_the_demo_is_gone() {
    let stack = Stack::start();
    let expired = sign("/media/cat.jpg", &["--now", "2020-01-01T00:00:00Z"]);
    let person = stack.get(&expired).header("accept", "text/html").send();
    assert_eq!(person.status, 410);
    assert!(person.text().contains("<h1>This link has expired</h1>"));
    let program = stack.get(&expired).send();
    assert_eq!(
        (program.status, &program.json()["title"]),
        (410, &"Gone".into())
    );
    assert_eq!(program.json()["reason"], "expired");
}
