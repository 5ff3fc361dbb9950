//! A text before and after, as `diff -u` shows it.

use similar::TextDiff;

/// The lines that differ, with three around them; empty if none does.
pub fn unified(name: &str, old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header(name, name).to_string()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn only_what_differs_is_shown() {
        let old = "a\nb\nc\nd\ne\nf\ng\n";
        assert_eq!(unified("x.yaml", old, old), "");
        let expected = "--- x.yaml\n+++ x.yaml\n@@ -2,6 +2,5 @@\n b\n c\n d\n-e\n f\n g\n";
        assert_eq!(unified("x.yaml", old, &old.replace("e\n", "")), expected);
    }
}
