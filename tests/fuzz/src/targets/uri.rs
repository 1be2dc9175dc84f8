//! S3 URIs and wildcards: nothing is changed on the way, and no name becomes part of a host.

use fastrand::Rng;
use haul::domain::location::{Location, MAX_KEY_BYTES, S3Uri};
use haul::domain::pattern::Wildcard;

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const BUCKETS: [&str; 9] = [
    "b",
    "bucket",
    "my.bucket-1",
    "-x",
    "..",
    "b@evil",
    "b:80",
    "",
    "arn:aws:s3:eu-west-1:123456789012:accesspoint/point",
];
const TOKENS: [&[u8]; 12] =
    [b"s3://", b"/", b"//", b"..", b"@", b":", b"?", b"#", b"%2f", b"arn:", b"\n", b"\xff"];

pub(super) fn locations(random: &mut Rng) -> Checked {
    let bucket = BUCKETS[random.usize(0..BUCKETS.len())];
    let mut bytes = format!("s3://{bucket}/{}", words::key(random)).into_bytes();
    mutate(random, &mut bytes, &TOKENS);
    let text = String::from_utf8_lossy(&bytes);
    show(|| format!("{text:?}"));
    let wrong = |what: &str| Err(format!("{text:?}: {what}"));
    match Location::parse(&text) {
        Ok(Location::S3(uri)) => check_uri(&text, &uri).or_else(|what| wrong(&what)),
        Ok(Location::Stream) if text != "-" => wrong("is taken for a stream"),
        Ok(Location::Local(_)) if text.starts_with("s3://") => wrong("is taken for a path"),
        Ok(Location::Local(path)) if path.to_str() != Some(&text) => wrong("is another path"),
        Err(error) if error.to_string().chars().any(char::is_control) => {
            wrong("its refusal holds control characters")
        }
        Ok(_) | Err(_) => Ok(1),
    }
}

fn check_uri(text: &str, uri: &S3Uri) -> Checked {
    let whole = format!("s3://{}/{}", uri.bucket, uri.rest);
    if whole != text && whole != format!("{text}/") {
        return Err(format!("is read as {whole:?}"));
    }
    let bucket = uri.bucket.as_str();
    let is_host_part = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_arn = bucket.starts_with("arn:") && !bucket.contains(['@', '?', '#', '%']);
    if !is_arn && !bucket.chars().all(is_host_part) {
        return Err(format!("has the bucket {bucket:?}"));
    }
    if uri.to_string().chars().any(char::is_control) {
        return Err("is shown with control characters".to_owned());
    }
    match uri.object() {
        Ok(object) if object.key.as_str() != uri.rest => Err("has another key".to_owned()),
        Ok(object) if object.uri() != whole => Err("has another URI".to_owned()),
        Err(_) if !uri.rest.is_empty() && uri.rest.len() <= MAX_KEY_BYTES => {
            Err("has no key".to_owned())
        }
        _ => Ok(1),
    }
}

/// `*` and `?` against the plainest way to match them.
pub(super) fn patterns(random: &mut Rng) -> Checked {
    let letters = ["*", "?", "a", "b", "/", "é"];
    let word = |random: &mut Rng, from: &[&str], most: usize| -> String {
        (0..random.usize(0..most)).map(|_| from[random.usize(0..from.len())]).collect()
    };
    let pattern = word(random, &letters, 10);
    let key = word(random, &letters[2..], 14);
    show(|| format!("{pattern:?} and {key:?}"));
    let Some(read) = Wildcard::parse(&pattern) else {
        let is_plain = !pattern.contains(['*', '?']);
        return if is_plain { Ok(1) } else { Err(format!("{pattern:?} is no pattern")) };
    };
    if !pattern.starts_with(read.prefix()) || read.prefix().contains(['*', '?']) {
        return Err(format!("{pattern:?} has the prefix {:?}", read.prefix()));
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let letters: Vec<char> = key.chars().collect();
    let (said, wanted) = (read.matches(&key), matches(&pattern, &letters));
    if said == wanted { Ok(1) } else { Err(format!("{pattern:?} on {key:?}: {said}")) }
}

fn matches(pattern: &[char], key: &[char]) -> bool {
    match pattern.split_first() {
        None => key.is_empty(),
        Some(('*', rest)) => (0..=key.len()).any(|skip| matches(rest, &key[skip..])),
        Some((first, rest)) => key
            .split_first()
            .is_some_and(|(letter, key)| (*first == '?' || first == letter) && matches(rest, key)),
    }
}
