//! Replies to ListObjectsV2 as every store writes them, read in one pass: the SDK's reader takes
//! most of the time that a long listing costs. It must never read what it is not sure of: then it
//! gives nothing, and the SDK's reader says what that is.

use std::borrow::Cow;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// How deep elements that nobody needs may lie in each other.
const DEEPEST: u32 = 8;

/// A whole reply. Texts are as they stand there, but for what XML itself escapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply<'a> {
    pub(super) encoding: Option<Cow<'a, str>>,
    pub(super) is_truncated: Option<bool>,
    pub(super) next: Option<Cow<'a, str>>,
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) prefixes: Vec<Cow<'a, str>>,
}

/// One object of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) size: u64,
    pub(super) etag: Option<Cow<'a, str>>,
    pub(super) last_modified: Option<DateTime>,
    pub(super) storage_class: Option<Cow<'a, str>>,
}

/// The reply, up to its end; `None` for anything out of the ordinary.
pub(super) fn read(body: &[u8]) -> Option<Reply<'_>> {
    let mut reader = Reader { rest: std::str::from_utf8(body).ok()? };
    reader.declaration()?;
    reader.root()?;
    let mut reply = Reply::default();
    loop {
        match reader.tag()? {
            Tag::Close("ListBucketResult") => break,
            // Empty, it may be a text or none at all: for the SDK to say.
            Tag::Close(_)
            | Tag::Empty(
                "IsTruncated"
                | "NextContinuationToken"
                | "EncodingType"
                | "Contents"
                | "CommonPrefixes",
            ) => return None,
            Tag::Open("Contents") => reply.entries.push(reader.entry()?),
            Tag::Open("CommonPrefixes") => reply.prefixes.push(reader.prefix()?),
            Tag::Open("IsTruncated") => {
                let is_truncated = reader.leaf("IsTruncated")?.parse().ok()?;
                set(&mut reply.is_truncated, is_truncated)?;
            }
            Tag::Open(name @ "NextContinuationToken") => set(&mut reply.next, reader.leaf(name)?)?,
            Tag::Open(name @ "EncodingType") => set(&mut reply.encoding, reader.leaf(name)?)?,
            Tag::Open(name) => reader.skip(name, 0)?,
            Tag::Empty(_) => {}
        }
    }
    reader.space();
    reader.rest.is_empty().then_some(reply)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag<'a> {
    Open(&'a str),
    Close(&'a str),
    Empty(&'a str),
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn declaration(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix("<?xml ") {
            let (declaration, rest) = rest.split_once("?>")?;
            if declaration.contains(['<', '>', '?']) || !is_plain(declaration) {
                return None;
            }
            self.rest = rest;
        }
        Some(())
    }

    /// The first element, which may name its namespace and nothing else.
    fn root(&mut self) -> Option<()> {
        self.space();
        let rest = self.rest.strip_prefix("<ListBucketResult")?;
        let (attributes, rest) = rest.split_once('>')?;
        let attributes = attributes.trim_end_matches(' ');
        if !attributes.is_empty() {
            let namespace = attributes.strip_prefix(" xmlns=\"")?.strip_suffix('"')?;
            if namespace.contains(['"', '<', '&']) || !is_plain(namespace) {
                return None;
            }
        }
        self.rest = rest;
        Some(())
    }

    /// The next tag, with nothing but space before it, and without attributes or a namespace.
    fn tag(&mut self) -> Option<Tag<'a>> {
        self.space();
        let rest = self.rest.strip_prefix('<')?;
        let (tag, rest) = rest.split_once('>')?;
        self.rest = rest;
        let (tag, name) = if let Some(name) = tag.strip_prefix('/') {
            (Tag::Close(name), name)
        } else if let Some(name) = tag.strip_suffix('/') {
            (Tag::Empty(name), name)
        } else {
            (Tag::Open(tag), tag)
        };
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && name.starts_with(|first: char| first.is_ascii_alphabetic());
        is_name.then_some(tag)
    }

    /// The text of an element whose opening tag was read, up to behind its closing one.
    fn leaf(&mut self, name: &str) -> Option<Cow<'a, str>> {
        let text = self.text()?;
        let rest = self.rest.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')?;
        self.rest = rest;
        unescaped(text)
    }

    fn text(&mut self) -> Option<&'a str> {
        let (text, rest) = self.rest.split_at_checked(self.rest.find('<')?)?;
        self.rest = rest;
        is_plain(text).then_some(text)
    }

    fn skip(&mut self, name: &str, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        loop {
            unescaped(self.text()?)?;
            match self.tag()? {
                Tag::Close(closed) => return (closed == name).then_some(()),
                Tag::Open(inner) => self.skip(inner, depth + 1)?,
                Tag::Empty(_) => {}
            }
        }
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        let (mut key, mut size, mut etag, mut time, mut class) = (None, None, None, None, None);
        loop {
            match self.tag()? {
                Tag::Close("Contents") => break,
                Tag::Close(_) => return None,
                Tag::Open(name @ "Key") => set(&mut key, self.leaf(name)?)?,
                Tag::Open(name @ "Size") => set(&mut size, number(&self.leaf(name)?)?)?,
                Tag::Open(name @ "ETag") => set(&mut etag, self.leaf(name)?)?,
                Tag::Open(name @ "LastModified") => set(&mut time, date(&self.leaf(name)?)?)?,
                Tag::Open(name @ "StorageClass") => set(&mut class, self.leaf(name)?)?,
                Tag::Open(name) => self.skip(name, 0)?,
                Tag::Empty("Key" | "Size" | "ETag" | "LastModified" | "StorageClass") => {
                    return None;
                }
                Tag::Empty(_) => {}
            }
        }
        let (key, size) = (key?, size?);
        Some(Entry { key, size, etag, last_modified: time, storage_class: class })
    }

    fn prefix(&mut self) -> Option<Cow<'a, str>> {
        let mut prefix = None;
        loop {
            match self.tag()? {
                Tag::Close("CommonPrefixes") => return prefix,
                Tag::Open(name @ "Prefix") => set(&mut prefix, self.leaf(name)?)?,
                _ => return None,
            }
        }
    }
}

/// An element that comes twice is none of ours.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place.replace(value) {
        None => Some(()),
        Some(_) => None,
    }
}

/// Nothing that XML forbids, or that stands for something else there.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'>')
}

/// Digits alone, as many as the SDK's integers have.
fn number(text: &str) -> Option<u64> {
    let is_number =
        (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// `2024-05-06T07:08:09.000Z`, or as the SDK reads it.
fn date(text: &str) -> Option<DateTime> {
    DateTime::from_str(text, Format::DateTimeWithOffset).ok()
}

fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.find('&') else { return Some(Cow::Borrowed(text)) };
    let (plain, mut rest) = text.split_at_checked(first)?;
    let mut whole = String::with_capacity(text.len());
    whole.push_str(plain);
    while let Some(escape) = rest.strip_prefix('&') {
        let (name, behind) = escape.split_once(';')?;
        whole.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" | "#34" => '"',
            "apos" | "#39" => '\'',
            _ => return None,
        });
        let (plain, next) = behind.split_at_checked(behind.find('&').unwrap_or(behind.len()))?;
        whole.push_str(plain);
        rest = next;
    }
    Some(Cow::Owned(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix/>\
        <KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>\
        <EncodingType>url</EncodingType><NextContinuationToken>a&amp;b=</NextContinuationToken>\n\
        <Contents><Key>a%2Fb+c</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified>\
        <ETag>&quot;abc&#34;</ETag><Size>12</Size><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
        <Owner><ID>x</ID><DisplayName></DisplayName></Owner><StorageClass>STANDARD</StorageClass>\
        </Contents> <Contents><Key>d&lt;</Key><Size>0</Size></Contents>\
        <CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>\n";

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        let reply = read(WHOLE.as_bytes()).expect("nothing is unusual");
        assert_eq!(reply.encoding.as_deref(), Some("url"));
        assert_eq!((reply.is_truncated, reply.next.as_deref()), (Some(true), Some("a&b=")));
        assert_eq!(reply.prefixes, ["p/"]);
        let [first, second] = &reply.entries[..] else { panic!("{:?}", reply.entries) };
        assert_eq!((&*first.key, first.size), ("a%2Fb+c", 12));
        assert_eq!(first.etag.as_deref(), Some("\"abc\""));
        assert_eq!(first.last_modified, Some(DateTime::from_secs(1_714_979_289)));
        assert_eq!(first.storage_class.as_deref(), Some("STANDARD"));
        assert_eq!((&*second.key, second.size, &second.etag), ("d<", 0, &None));
    }

    #[test]
    fn what_is_cut_off_is_not_read() {
        let end = WHOLE.trim_end().len();
        for cut in 0..end {
            assert_eq!(read(&WHOLE.as_bytes()[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_left_to_the_sdk() {
        for (plain, odd) in [
            ("<Name>b</Name>", "<!-- b -->"),
            ("<Name>b</Name>", "<Name><![CDATA[b]]></Name>"),
            ("<Name>b</Name>", "<x:Name>b</x:Name>"),
            ("<Name>b</Name>", "<Name a=\"b\">b</Name>"),
            ("<Name>b</Name>", "<Name>b</Nam>"),
            ("<Name>b</Name>", "<Name>b]]></Name>"),
            ("<Name>b</Name>", "<Name>&b;</Name>"),
            ("<Name>b</Name>", "text"),
            ("<Key>a%2Fb+c</Key>", "<Key>a</Key><Key>b</Key>"),
            ("<Key>a%2Fb+c</Key>", "<Key/>"),
            ("<Key>a%2Fb+c</Key>", "<Key>&#0;</Key>"),
            ("<Key>a%2Fb+c</Key>", "<Key>\u{1}</Key>"),
            ("<Key>a%2Fb+c</Key>", "<Key>é</Key>"),
            ("<Key>a%2Fb+c</Key>", "<Key>a\nb</Key>"),
            ("<Key>a%2Fb+c</Key>", ""),
            ("<Size>12</Size>", "<Size>-1</Size>"),
            ("<Size>12</Size>", "<Size> 12</Size>"),
            ("<Size>12</Size>", "<Size>9999999999999999999</Size>"),
            ("<Size>12</Size>", ""),
            ("2024-05-06T07:08:09.000Z", "yesterday"),
            ("<IsTruncated>true<", "<IsTruncated>True<"),
            ("<IsTruncated>true</IsTruncated>", "<IsTruncated/>"),
            ("ListBucketResult", "Error"),
            ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE x [<!ENTITY a \"b\">]>"),
            ("</ListBucketResult>", "</ListBucketResult><x/>"),
            ("</ListBucketResult>", "</x></ListBucketResult>"),
        ] {
            let xml = WHOLE.replace(plain, odd);
            assert!(xml != WHOLE && read(xml.as_bytes()).is_none(), "{odd}");
        }
    }
}
