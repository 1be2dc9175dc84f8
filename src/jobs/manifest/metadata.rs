//! The text of a metadata cell: `name=value;name=value`, or a JSON object where a value has a `;`.

use super::escape::quoted;

/// Names and values in the order given.
///
/// Spaces around names and values are not part of them. The first `=` ends the name. There is no
/// escape: what needs one is written as a JSON object of strings.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.starts_with('{') {
        return super::jsonl::metadata_object(text);
    }
    let mut pairs = Vec::new();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!("metadata has no `=` in {}", quoted(pair.as_bytes())));
        };
        push(&mut pairs, name.trim(), value.trim())?;
    }
    Ok(pairs)
}

/// Adds a pair. S3 does not tell names apart by case, so that neither may a manifest.
pub(super) fn push(
    pairs: &mut Vec<(String, String)>,
    name: &str,
    value: &str,
) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("metadata has a value without a name: {}", quoted(value.as_bytes())));
    }
    if pairs.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Err(format!("metadata has {} twice", quoted(name.as_bytes())));
    }
    pairs.push((name.to_owned(), value.to_owned()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("parses")
    }

    #[test]
    fn pairs_are_read_in_both_notations() {
        let want = [("a".to_owned(), "1=x".to_owned()), ("b".to_owned(), String::new())];
        assert_eq!(pairs("a=1=x;b="), want);
        assert_eq!(pairs(" a = 1=x ; b = ; "), want);
        assert_eq!(pairs(r#"{"a":"1=x", "b":""}"#), want);
        assert_eq!(pairs(r#"{"a;b":" x;y "}"#), [("a;b".to_owned(), " x;y ".to_owned())]);
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn what_is_no_pair_is_an_error() {
        for text in ["a", "a=1;b", "=1", "a=1;A=2", "{", r#"{"a":{}}"#, r#"{"a":"1"} x"#] {
            parse(text).expect_err(text);
        }
    }
}
