//! The bytes of a manifest: unpacked, without their byte order mark, and with the cause when they
//! stop coming. Must never hold more than a few buffers.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::gzip::Members;
use super::{Compression, ManifestError};

/// Where bytes come from: a file, standard input, an object.
pub(super) type Source = Box<dyn Read + Send>;

const BUFFER: usize = 128 << 10;

/// What a reader does about a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrderMark {
    /// The content is text: UTF-8's is skipped, UTF-16's is an error.
    Text,
    /// The content is bytes: there is no such thing.
    Verbatim,
}

/// Unpacked bytes, a buffer at a time.
pub(super) struct Input {
    reader: BufReader<Source>,
    compression: Compression,
}

impl Input {
    /// Looks at the first bytes and unpacks what they show. `named` is what the name promises.
    pub(super) fn open(
        source: Source,
        named: Compression,
        mark: ByteOrderMark,
    ) -> Result<Self, ManifestError> {
        let mut raw: Source = Box::new(Raw(source));
        let head = Head::of(&mut raw).map_err(|error| explain(error, Compression::None, 1))?;
        let compression = match (Compression::from_magic(head.bytes()), named) {
            (Compression::None, Compression::Zstd) if head.is_skippable_frame() => named,
            (Compression::None, Compression::Gzip | Compression::Zstd) if head.len == 0 => {
                return Err(ManifestError::Truncated { compression: named, line: 0 });
            }
            (Compression::None, Compression::Gzip | Compression::Zstd) => {
                return Err(ManifestError::NotCompressed(named));
            }
            (shown, _) => shown,
        };
        let packed = BufReader::with_capacity(BUFFER, head.before(raw));
        let plain: Source = match compression {
            Compression::None => packed.into_inner(),
            Compression::Gzip => Box::new(Members::new(packed)),
            Compression::Zstd => Box::new(
                zstd::Decoder::with_buffer(packed)
                    .map_err(|error| explain(error, compression, 1))?,
            ),
        };
        let plain = match mark {
            ByteOrderMark::Text => skip_mark(plain, compression)?,
            ByteOrderMark::Verbatim => plain,
        };
        Ok(Self { reader: BufReader::with_capacity(BUFFER, plain), compression })
    }

    /// The bytes at hand, at least one but at the end. `line` is for the message.
    pub(super) fn fill(&mut self, line: u64) -> Result<&[u8], ManifestError> {
        // Two calls, because a borrow that is returned early lasts for the whole function.
        loop {
            match self.reader.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(error, self.compression, line)),
            }
        }
        Ok(self.reader.buffer())
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("compression", &self.compression).finish_non_exhaustive()
    }
}

fn skip_mark(mut plain: Source, compression: Compression) -> Result<Source, ManifestError> {
    let mut head = Head::of(&mut plain).map_err(|error| explain(error, compression, 1))?;
    if head.is_utf_16() {
        return Err(ManifestError::Utf16);
    }
    if head.bytes().starts_with(b"\xef\xbb\xbf") {
        head.start = 3;
    }
    Ok(head.before(plain))
}

/// The first bytes of a stream, read to be looked at and then put back.
struct Head {
    bytes: [u8; 4],
    start: usize,
    len: usize,
}

impl Head {
    fn of(source: &mut Source) -> io::Result<Self> {
        let mut head = Self { bytes: [0; 4], start: 0, len: 0 };
        while head.len < head.bytes.len() {
            match source.read(&mut head.bytes[head.len..]) {
                Ok(0) => break,
                Ok(read) => head.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(head)
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.len]
    }

    /// zstd files may begin with a frame of somebody's notes. Its mark could begin a text as well,
    /// so that it counts only where the name says zstd.
    fn is_skippable_frame(&self) -> bool {
        matches!(self.bytes(), [0x50..=0x5f, 0x2a, 0x4d, 0x18])
    }

    /// With its mark, or ASCII without one: no text has a NUL as every other byte.
    fn is_utf_16(&self) -> bool {
        match self.bytes() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
            [0, a, 0, b] | [a, 0, b, 0] => *a != 0 && *b != 0,
            _ => false,
        }
    }

    fn before(self, rest: Source) -> Source {
        Box::new(Cursor::new(self.bytes().to_vec()).chain(rest))
    }
}

/// Marks the errors of the bytes' source, so that they are not blamed on what they are packed with.
struct Raw(Source);

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer);
        read.map_err(|error| io::Error::new(error.kind(), FromSource(error)))
    }
}

#[derive(Debug)]
struct FromSource(io::Error);

impl fmt::Display for FromSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FromSource {}

fn explain(error: io::Error, compression: Compression, line: u64) -> ManifestError {
    match error.downcast::<FromSource>() {
        Ok(FromSource(source)) => ManifestError::Read { line, source },
        Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            ManifestError::Truncated { compression, line }
        }
        Err(source) => ManifestError::Corrupt { compression, line, source },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("memory can be written");
        encoder.finish().expect("memory can be written")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::encode_all(text, 1).expect("memory can be written")
    }

    fn read_all(bytes: Vec<u8>, named: Compression) -> Result<Vec<u8>, ManifestError> {
        let mut input = Input::open(Box::new(Cursor::new(bytes)), named, ByteOrderMark::Text)?;
        let mut all = Vec::new();
        loop {
            let chunk = input.fill(7)?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(chunk);
            let length = chunk.len();
            input.consume(length);
        }
    }

    #[test]
    fn compressed_data_is_known_by_its_first_bytes_whatever_its_name() {
        for named in [Compression::None, Compression::Gzip, Compression::Zstd] {
            assert_eq!(read_all(gzip(b"abc"), named).expect("reads"), b"abc");
            assert_eq!(read_all(zstd(b"abc"), named).expect("reads"), b"abc");
        }
    }

    #[test]
    fn all_members_and_frames_are_read() {
        let members = [gzip(b"one\n"), gzip(b""), gzip(b"two\n")].concat();
        assert_eq!(read_all(members, Compression::Gzip).expect("reads"), b"one\ntwo\n");
        let note = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0][..], b"hi"].concat();
        let frames = [note, zstd(b"one\n"), zstd(b"two\n")].concat();
        assert_eq!(read_all(frames, Compression::Zstd).expect("reads"), b"one\ntwo\n");
    }

    #[test]
    fn zeros_behind_the_last_member_are_no_data_and_anything_else_is_an_error() {
        for zeros in [1, 511, BUFFER - 20, 3 * BUFFER] {
            let padded = [gzip(b"one\n"), gzip(b"two\n"), vec![0; zeros]].concat();
            assert_eq!(read_all(padded, Compression::Gzip).expect("reads"), b"one\ntwo\n");
            let spoilt = [gzip(b"one\n"), vec![0; zeros], b"garbage".to_vec()].concat();
            read_all(spoilt, Compression::Gzip).expect_err("nobody knows what that is");
        }
        let garbage = [gzip(b"one\n"), b"garbage behind it".to_vec()].concat();
        read_all(garbage, Compression::Gzip).expect_err("nobody knows what that is");
    }

    #[test]
    fn data_cut_off_anywhere_is_an_error() {
        let text: Vec<u8> = (0..2000_u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for (packed, compression) in
            [(gzip(&text), Compression::Gzip), (zstd(&text), Compression::Zstd)]
        {
            for cut in 0..packed.len() {
                let error = read_all(packed[..cut].to_vec(), compression)
                    .expect_err(&format!("{compression} cut at {cut} of {}", packed.len()));
                // Without its mark it cannot be told from something else.
                if cut >= 4 || cut == 0 {
                    let truncated = matches!(error, ManifestError::Truncated { .. });
                    assert!(truncated, "{compression} cut at {cut}: {error}");
                }
            }
        }
    }

    #[test]
    fn damaged_data_is_an_error_that_names_the_compression() {
        let mut packed = gzip(&[b'x'; 5000]);
        let middle = packed.len() / 2;
        packed[middle] ^= 0xff;
        let error = read_all(packed, Compression::Gzip).expect_err("the checksum cannot hold");
        assert!(error.to_string().contains("gzip"), "{error}");
    }

    #[test]
    fn a_name_that_promises_compression_must_keep_it() {
        let error = read_all(b"plain".to_vec(), Compression::Gzip).expect_err("not gzip");
        assert!(matches!(error, ManifestError::NotCompressed(Compression::Gzip)), "{error}");
    }

    #[test]
    fn a_byte_order_mark_is_skipped_also_below_compression() {
        let text = b"\xef\xbb\xbfa\xef\xbb\xbf";
        for bytes in [text.to_vec(), gzip(text), zstd(text)] {
            assert_eq!(read_all(bytes, Compression::None).expect("reads"), b"a\xef\xbb\xbf");
        }
        assert_eq!(read_all(b"\xef\xbb\xbf".to_vec(), Compression::None).expect("reads"), b"");
    }

    #[test]
    fn utf_16_is_refused_with_and_without_its_mark() {
        let texts: [&[u8]; 4] = [b"\xff\xfea\0", b"\xfe\xff\0a", b"s\0o\0u\0", b"\0s\0o\0u"];
        for text in texts {
            let error = read_all(text.to_vec(), Compression::None).expect_err("UTF-16");
            assert!(matches!(error, ManifestError::Utf16), "{text:?}: {error}");
        }
    }

    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 | 3 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[..4].copy_from_slice(&gzip(b"hello")[..4]);
                    Ok(4)
                }
                _ => Err(io::Error::other("the disk is gone")),
            }
        }
    }

    #[test]
    fn an_error_of_the_source_is_not_blamed_on_the_compression() {
        let opened = Input::open(Box::new(Broken(0)), Compression::Gzip, ByteOrderMark::Text);
        match opened.expect_err("the source is broken") {
            ManifestError::Read { source, .. } => {
                assert_eq!(source.to_string(), "the disk is gone");
            }
            other => panic!("{other}"),
        }
    }
}
