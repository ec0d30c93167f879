//! Shows the progress of a fetch in a terminal as one bar. Behind the feature `progress-bar`, for the
//! two programs that fetch.

use indicatif::{ProgressBar, ProgressStyle};

use super::event::Event;

const SPINNER: &str = "{spinner} {msg}";
const BAR: &str =
    "{msg}\n{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
const COUNTER: &str = "{spinner} {msg}\n{decimal_bytes}, {decimal_bytes_per_sec}";

/// Draws one event on a bar, or as lines if standard error is not a terminal.
pub fn draw(bar: &ProgressBar, event: Event) {
    let style = |template| {
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
    };
    match event {
        // A bar is hidden if standard error is not a terminal; it would swallow these.
        Event::Stage(text) | Event::Note(text) if bar.is_hidden() => eprintln!("{text}"),
        Event::Note(text) => bar.println(text),
        Event::Stage(text) => {
            bar.set_style(style(SPINNER));
            bar.unset_length();
            bar.reset();
            bar.set_message(text);
        }
        Event::Bytes { done, total } => {
            match total {
                Some(total) if bar.length() != Some(total) => {
                    bar.set_style(style(BAR));
                    bar.set_length(total);
                    // Bytes from an earlier call do not count towards this one's speed.
                    bar.set_position(done);
                    bar.reset_eta();
                }
                Some(_) => {}
                None => bar.set_style(style(COUNTER)),
            }
            bar.set_position(done);
        }
    }
}
