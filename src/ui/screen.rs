//! A few lines at the bottom of a terminal that are drawn again and again, and the lines above
//! that stay. Pure: it makes the bytes, one write a frame.
//!
//! Lines are overwritten in place and never blanked first, so nothing flickers. A terminal that
//! was made narrower has folded the lines drawn before: how many rows they take now is computed
//! from their widths and from the new width. (The usual library for bars pads each line to the
//! full width, so every line folds, and counts rows by the old width: each resize leaves ruins.)

use std::fmt::Write as _;

use super::streams::Size;

/// What is on the terminal now. The cursor rests at the start of the row below.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: Vec<String>,
    columns: usize,
}

impl Screen {
    /// Bytes that print `above` for good and replace what was drawn by `lines`, each of which is
    /// narrower than the terminal. Empty if nothing changes.
    pub fn draw(&mut self, above: &[String], lines: Vec<String>, size: Size) -> String {
        if above.is_empty() && lines == self.drawn && self.columns == size.columns {
            return String::new();
        }
        let mut bytes = self.to_first_row(size);
        if !above.is_empty() {
            bytes.push_str(CLEAR_BELOW);
            for line in above {
                bytes.push_str(line);
                bytes.push_str("\r\n");
            }
        }
        for line in &lines {
            bytes.push_str(line);
            bytes.push_str(CLEAR_RIGHT);
            bytes.push_str("\r\n");
        }
        bytes.push_str(CLEAR_BELOW);
        self.drawn = lines;
        self.columns = size.columns;
        bytes
    }

    fn to_first_row(&self, size: Size) -> String {
        let folded = |line: &String| visible_columns(line).div_ceil(size.columns.max(1)).max(1);
        let rows = self.drawn.iter().map(folded).sum::<usize>().min(size.rows.saturating_sub(1));
        let mut bytes = String::from("\r");
        if rows > 0 {
            write!(bytes, "\x1b[{rows}A").expect("a String takes all");
        }
        bytes
    }
}

const CLEAR_RIGHT: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Columns of a line with the colours of `style::Paint` in it.
fn visible_columns(line: &str) -> usize {
    let mut columns = 0;
    let mut pieces = line.split("\x1b[");
    columns += pieces.next().map_or(0, super::style::columns);
    for piece in pieces {
        let (_, text) = piece.split_once('m').unwrap_or((piece, ""));
        columns += super::style::columns(text);
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    const WIDE: Size = Size { columns: 20, rows: 10 };

    #[test]
    fn a_frame_is_drawn_over_the_one_before() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw(&[], lines(&["a", "b"]), WIDE), "\ra\x1b[K\r\nb\x1b[K\r\n\x1b[J");
        assert_eq!(screen.draw(&[], lines(&["c"]), WIDE), "\r\x1b[2Ac\x1b[K\r\n\x1b[J");
        assert_eq!(screen.draw(&[], lines(&["c"]), WIDE), "", "nothing changed");
        assert_eq!(screen.draw(&[], Vec::new(), WIDE), "\r\x1b[1A\x1b[J");
        assert_eq!(screen.draw(&[], Vec::new(), WIDE), "");
    }

    #[test]
    fn lines_above_stay() {
        let mut screen = Screen::default();
        screen.draw(&[], lines(&["a"]), WIDE);
        let bytes = screen.draw(&lines(&["error: x"]), lines(&["a"]), WIDE);
        assert_eq!(bytes, "\r\x1b[1A\x1b[Jerror: x\r\na\x1b[K\r\n\x1b[J");
    }

    #[test]
    fn a_narrower_terminal_has_folded_what_was_drawn() {
        let mut screen = Screen::default();
        screen.draw(&[], lines(&["\x1b[1m123456789\x1b[0m", "1234"]), WIDE);
        let narrow = Size { columns: 4, rows: 10 };
        assert!(screen.draw(&[], lines(&["abc"]), narrow).starts_with("\r\x1b[4Aabc"));
    }
}
