//! The recipes that are part of the program.

/// The built-in recipes, by name.
pub(super) const BUILT_IN: [(&str, &str); 5] = [
    ("quick", include_str!("../../recipes/quick.toml")),
    ("default", include_str!("../../recipes/default.toml")),
    ("recurrent", include_str!("../../recipes/recurrent.toml")),
    ("accurate", include_str!("../../recipes/accurate.toml")),
    ("notebook", include_str!("../../recipes/notebook.toml")),
];

/// Their names.
pub(super) fn names() -> [&'static str; 5] {
    BUILT_IN.map(|(name, _)| name)
}
