//! Calls of a library that panics on files that are damaged in ways it did not think of.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use crate::error::panic_text;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `call` gives, or, where it panics, why. What it was working on is not to be used again.
pub(super) fn panic_as_error<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let earlier = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.get() {
                earlier(panic);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let called = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(outer);
    called.map_err(|panic| panic_text(&*panic).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_call_is_guarded_too() {
        for _ in 0..2 {
            assert_eq!(panic_as_error::<()>(|| panic!("page {}", 3)), Err("page 3".to_owned()));
        }
        assert_eq!(panic_as_error(|| panic_as_error(|| 1)), Ok(Ok(1)));
        assert!(!GUARDED.get());
    }
}
