//! Values as bytes, for files of our own that no other process reads: what outgrows memory. It must
//! give back exactly what it was given, and never more than was written.

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::{Entry, EntryKind};
use super::extras::Extra;
use crate::domain::object::ETag;

/// What can be written and read back.
pub(super) trait Coded: Sized {
    fn write(&self, bytes: &mut Vec<u8>);

    fn read(source: &mut impl Read) -> io::Result<Self>;
}

impl Coded for Entry {
    fn write(&self, bytes: &mut Vec<u8>) {
        text(bytes, &self.name);
        optional(bytes, self.own.as_deref(), text);
        bytes.push(match self.kind {
            EntryKind::Content => 0,
            EntryKind::Marker => 1,
            EntryKind::Other => 2,
        });
        bytes.extend(self.size.to_le_bytes());
        optional(bytes, self.modified, time);
        optional(bytes, self.etag.as_ref().map(ETag::as_str), text);
    }

    fn read(source: &mut impl Read) -> io::Result<Self> {
        Ok(Self {
            name: read_text(source)?,
            own: read_optional(source, read_text)?,
            kind: match byte(source)? {
                0 => EntryKind::Content,
                1 => EntryKind::Marker,
                2 => EntryKind::Other,
                _ => return Err(malformed()),
            },
            size: number(source)?,
            modified: read_optional(source, read_time)?,
            etag: read_optional(source, read_text)?.map(|text| ETag::new(&text)),
        })
    }
}

impl Coded for Extra {
    fn write(&self, bytes: &mut Vec<u8>) {
        text(bytes, &self.name);
        bytes.extend(self.size.to_le_bytes());
        optional(bytes, self.modified, time);
        bytes.extend((self.kept as u64).to_le_bytes());
    }

    fn read(source: &mut impl Read) -> io::Result<Self> {
        Ok(Self {
            name: read_text(source)?,
            size: number(source)?,
            modified: read_optional(source, read_time)?,
            kept: usize::try_from(number(source)?).map_err(|_| malformed())?,
        })
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn time(bytes: &mut Vec<u8>, time: SystemTime) {
    let (is_before, distance) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (0, since),
        Err(error) => (1, error.duration()),
    };
    bytes.push(is_before);
    bytes.extend(distance.as_secs().to_le_bytes());
    bytes.extend(u64::from(distance.subsec_nanos()).to_le_bytes());
}

fn optional<T>(bytes: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(bytes, value);
    }
}

fn byte(source: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    source.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn number(source: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    source.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_text(source: &mut impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = number(source)?;
    source.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn read_time(source: &mut impl Read) -> io::Result<SystemTime> {
    let is_before = byte(source)? != 0;
    let seconds = number(source)?;
    let nanos = u32::try_from(number(source)?).map_err(|_| malformed())?;
    let distance = Duration::new(seconds, nanos);
    let time =
        if is_before { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.ok_or_else(malformed)
}

fn read_optional<T, R: Read>(
    source: &mut R,
    read: impl FnOnce(&mut R) -> io::Result<T>,
) -> io::Result<Option<T>> {
    match byte(source)? {
        0 => Ok(None),
        _ => read(source).map(Some),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not what was written there")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn times() -> impl Strategy<Value = Option<SystemTime>> {
        let time = (any::<bool>(), 0..(1_u64 << 40), 0..1_000_000_000_u32);
        proptest::option::of(time.prop_map(|(is_before, seconds, nanos)| {
            let distance = Duration::new(seconds, nanos);
            if is_before { UNIX_EPOCH - distance } else { UNIX_EPOCH + distance }
        }))
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let kinds =
            prop::sample::select(vec![EntryKind::Content, EntryKind::Marker, EntryKind::Other]);
        let own = proptest::option::of("\\PC{0,9}");
        let etag = proptest::option::of("[a-f0-9-]{1,9}");
        ("\\PC{0,30}", own, kinds, any::<u64>(), times(), etag).prop_map(
            |(name, own, kind, size, modified, etag)| {
                let etag = etag.map(|etag| ETag::new(&etag));
                Entry { name, own, kind, size, modified, etag }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(entries in prop::collection::vec(entries(), 0..9)) {
            let mut bytes = Vec::new();
            for entry in &entries {
                entry.write(&mut bytes);
            }
            let mut rest = bytes.as_slice();
            for entry in &entries {
                prop_assert_eq!(&Entry::read(&mut rest).expect("read"), entry);
            }
            prop_assert!(rest.is_empty());
            if let Some(most) = bytes.len().checked_sub(1) {
                let mut cut = &bytes[..most];
                let read = entries.iter().map(|_| Entry::read(&mut cut)).collect::<Vec<_>>();
                prop_assert!(read.last().is_some_and(Result::is_err), "a torn end passes for whole");
            }
        }
    }
}
