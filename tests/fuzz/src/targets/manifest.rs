//! Manifest readers: what was written is read back, whatever pieces the bytes come in; what is
//! damaged is refused row by row, in order, and comes to an end.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};

use fastrand::Rng;
use flate2::write::GzEncoder;
use haul::jobs::manifest::{Compression, Format, ManifestError, Problem, Row, open, totals};

use super::Checked;
use crate::mutation::mutate;
use crate::runner::show;
use crate::words;

const TOKENS: [&[u8]; 24] = [
    b",",
    b"\t",
    b"\"",
    b"\"\"",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"#",
    b"{",
    b"}",
    b"[",
    b"\\u0000",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xff\xfe",
    b"s3://",
    b"source",
    b"key",
    b"size",
    b"null",
    b"\"metadata\":{",
    b"checksum",
];
/// Those that people write.
const LISTS: [Format; 5] = [Format::Csv, Format::Tsv, Format::Jsonl, Format::Keys, Format::Keys0];
/// More than any input here has.
const ENDLESS: usize = 100_000;

/// A source and a destination.
type Pair = (String, String);

/// A manifest, and on which line each pair begins.
struct Written {
    bytes: Vec<u8>,
    lines: Vec<u64>,
}

pub(super) fn csv(random: &mut Rng) -> Checked {
    check(random, Format::Csv)
}

pub(super) fn tsv(random: &mut Rng) -> Checked {
    check(random, Format::Tsv)
}

pub(super) fn jsonl(random: &mut Rng) -> Checked {
    check(random, Format::Jsonl)
}

pub(super) fn keys(random: &mut Rng) -> Checked {
    check(random, Format::Keys)
}

pub(super) fn keys0(random: &mut Rng) -> Checked {
    check(random, Format::Keys0)
}

fn check(random: &mut Rng, format: Format) -> Checked {
    let pairs = pairs(random, format);
    let written = write(random, format, &pairs);
    let mut bytes = written.bytes.clone();
    mutate(random, &mut bytes, &TOKENS);
    show(|| bytes.escape_ascii().to_string());
    let whole = read(source(&bytes, None), format, Compression::None)?;
    in_order(&whole)?;
    if whole.len() > bytes.len() + 1 {
        return Err(format!("{} rows of {} bytes", whole.len(), bytes.len()));
    }
    let torn = read(source(&bytes, Some(random.fork())), format, Compression::None)?;
    if shown(&whole) != shown(&torn) {
        return Err(format!("in pieces it is read as {torn:?}, at once as {whole:?}"));
    }
    let counted = totals(source(&bytes, None), format, Compression::None);
    agree(&whole, counted.map(|it| it.rows + it.bad_rows))?;
    if bytes == written.bytes { same(&whole, &pairs, &written.lines) } else { Ok(1) }
}

/// Compressed data, whole and damaged.
pub(super) fn packed(random: &mut Rng) -> Checked {
    let format = LISTS[random.usize(0..LISTS.len())];
    let pairs = pairs(random, format);
    let plain = write(random, format, &pairs);
    let compression = if random.bool() { Compression::Gzip } else { Compression::Zstd };
    let written = pack(&plain.bytes, compression).map_err(|error| error.to_string())?;
    let mut bytes = written.clone();
    mutate(random, &mut bytes, &[b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\0"]);
    show(|| format!("{compression} of {format}: {}", bytes.escape_ascii()));
    let whole = read(source(&bytes, None), format, compression)?;
    in_order(&whole)?;
    let torn = read(source(&bytes, Some(random.fork())), format, compression)?;
    alike(&whole, &torn)?;
    if bytes == written { same(&whole, &pairs, &plain.lines) } else { Ok(1) }
}

/// Such as the format can hold.
fn pairs(random: &mut Rng, format: Format) -> Vec<Pair> {
    let cell = |random: &mut Rng| {
        let mut cell = words::text(random);
        cell.retain(|c| match format {
            Format::Keys => !matches!(c, '\n' | '\r' | '\0'),
            Format::Keys0 => c != '\0',
            _ => true,
        });
        cell
    };
    let has_destination = !matches!(format, Format::Keys | Format::Keys0);
    let pair = |random: &mut Rng| {
        let source = format!("k{}", cell(random));
        (source, if has_destination { cell(random) } else { String::new() })
    };
    (0..random.usize(0..6)).map(|_| pair(random)).collect()
}

fn write(random: &mut Rng, format: Format, pairs: &[Pair]) -> Written {
    let (mut text, mut lines) = (String::new(), Vec::new());
    let end = if random.bool() { "\n" } else { "\r\n" };
    // What `find -print0` writes has no mark, and a name may begin with one.
    if format != Format::Keys0 && random.u8(0..8) == 0 {
        text.push('\u{feff}');
    }
    let separator = if format == Format::Tsv { '\t' } else { ',' };
    let is_table = matches!(format, Format::Csv | Format::Tsv);
    if is_table {
        write!(text, "source{separator}destination{end}").ok();
    }
    for (number, (source, destination)) in (1..).zip(pairs) {
        lines.push(if format == Format::Keys0 { number } else { 1 + breaks(&text) });
        if is_table {
            let cells = [source, destination].map(|cell| quoted(random, cell, separator));
            write!(text, "{}{separator}{}{end}", cells[0], cells[1]).ok();
        } else if format == Format::Jsonl {
            let (source, destination) = (escaped(source), escaped(destination));
            write!(text, "{{\"source\":{source},\"destination\":{destination}}}{end}").ok();
        } else {
            text.extend([source.as_str(), if format == Format::Keys { end } else { "\0" }]);
        }
    }
    Written { bytes: text.into_bytes(), lines }
}

/// Line breaks, of which `\r\n` is one.
fn breaks(text: &str) -> u64 {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count() as u64
}

fn quoted(random: &mut Rng, cell: &str, separator: char) -> String {
    let must = cell.contains(['"', '\n', '\r', separator]);
    if must || random.u8(0..4) == 0 {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn escaped(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            ' '..='~' => json.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(json, "\\u{unit:04x}").ok();
                }
            }
        }
    }
    json.push('"');
    json
}

fn pack(plain: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::Gzip => {
            let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(plain)?;
            packer.finish()
        }
        Compression::Zstd => zstd::encode_all(plain, 1),
        Compression::None => Ok(plain.to_vec()),
    }
}

/// Bytes at once, or in pieces of any length, none included only at the end.
fn source(bytes: &[u8], pieces: Option<Rng>) -> Box<dyn Read + Send> {
    Box::new(Source { bytes: bytes.to_vec(), at: 0, pieces })
}

struct Source {
    bytes: Vec<u8>,
    at: usize,
    pieces: Option<Rng>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let most = self.pieces.as_mut().map_or(usize::MAX, |random| random.usize(1..12));
        let length = rest.len().min(buffer.len()).min(most);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

type Item = Result<Row, Problem>;

fn read(
    source: Box<dyn Read + Send>,
    format: Format,
    compression: Compression,
) -> Result<Vec<Item>, String> {
    let rows = match open(source, format, compression) {
        Ok(rows) => rows,
        Err(error) => return Ok(vec![Err(error.into())]),
    };
    let items: Vec<_> = rows.take(ENDLESS).collect();
    if items.len() == ENDLESS { Err("it does not come to an end".to_owned()) } else { Ok(items) }
}

/// Rows are numbered without a gap, lines never go back, and nothing follows the end.
fn in_order(items: &[Item]) -> Result<(), String> {
    let (mut last_line, mut last_number) = (0, 0);
    for (index, item) in items.iter().enumerate() {
        let (line, number) = match item {
            Ok(row) => (row.line, row.number),
            Err(Problem::Row(error)) => (error.line, error.number),
            Err(Problem::Fatal(_)) if index + 1 == items.len() => continue,
            Err(Problem::Fatal(error)) => return Err(format!("rows follow {error}")),
        };
        if number != last_number + 1 || line <= last_line && index > 0 {
            return Err(format!("row {number} in line {line} follows {last_number}, {last_line}"));
        }
        (last_line, last_number) = (line, number);
        if let Ok(row) = item
            && row.source.is_none()
            && row.key.is_none()
            && row.path.is_none()
        {
            return Err(format!("{row:?} names nothing"));
        }
    }
    Ok(())
}

/// How many rows come before the damage is found depends on the pieces; what they are does not.
fn alike(whole: &[Item], torn: &[Item]) -> Result<(), String> {
    let is_fatal = |items: &[Item]| matches!(items.last(), Some(Err(Problem::Fatal(_))));
    let rows = |items: &[Item]| {
        let mut rows = shown(items);
        rows.truncate(items.len() - usize::from(is_fatal(items)));
        rows
    };
    let (first, second) = (rows(whole), rows(torn));
    let is_alike = match (is_fatal(whole), is_fatal(torn)) {
        (true, true) => first.starts_with(&second) || second.starts_with(&first),
        (false, false) => first == second,
        _ => false,
    };
    if is_alike {
        Ok(())
    } else {
        Err(format!("in pieces it is read as {torn:?}, at once as {whole:?}"))
    }
}

fn shown(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| format!("{item:?}")).collect()
}

/// Counting rows finds as many as reading them.
fn agree(items: &[Item], counted: Result<u64, ManifestError>) -> Result<(), String> {
    let fatal = matches!(items.last(), Some(Err(Problem::Fatal(_))));
    match counted {
        Err(_) if fatal => Ok(()),
        Ok(count) if !fatal && count == items.len() as u64 => Ok(()),
        counted => Err(format!("{} rows are read, counted is {counted:?}", items.len())),
    }
}

fn same(items: &[Item], pairs: &[Pair], lines: &[u64]) -> Checked {
    let cell = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let is_it = |(item, ((source, destination), line)): (&Item, (&Pair, &u64))| {
        item.as_ref().is_ok_and(|row| {
            let found = row.source.as_ref().or(row.key.as_ref());
            found == Some(source) && row.destination == cell(destination) && row.line == *line
        })
    };
    let mut both = items.iter().zip(pairs.iter().zip(lines));
    let is_same = items.len() == pairs.len() && both.all(is_it);
    if is_same { Ok(1) } else { Err(format!("{pairs:?} on {lines:?} is read as {items:?}")) }
}
