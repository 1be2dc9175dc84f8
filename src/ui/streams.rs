//! Standard output and standard error: the only file that touches them.
//!
//! stdout is data: what can't be written is an error, told apart by whether the reader left
//! (`OutputError::Closed`) or the write failed. stderr is everything else: a transfer never fails
//! because nobody can be told about it, so errors there are dropped. Nothing here panics on either.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::time::Duration;

use crate::domain::record::OutputError;

/// Whether someone watches stderr on a terminal that can move its cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    Terminal,
    /// A file, a pipe, or a terminal that knows no escape sequences.
    No,
}

impl Watched {
    pub fn stderr() -> Self {
        Self::decide(io::stderr().is_terminal(), std::env::var("TERM").ok().as_deref())
    }

    fn decide(is_terminal: bool, term: Option<&str>) -> Self {
        // Old Windows consoles take escapes only after a system call, which is unsafe code.
        let moves_cursor = cfg!(unix) && !matches!(term, None | Some("" | "dumb"));
        if is_terminal && moves_cursor { Self::Terminal } else { Self::No }
    }
}

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

impl Size {
    const USUAL: Self = Self { columns: 80, rows: 24 };

    /// As the terminal is now: asked before every frame, so that a resize is noticed.
    pub fn stderr() -> Self {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(io::stderr()) {
            // A terminal that was never told its size says 0.
            if size.ws_col > 0 && size.ws_row > 0 {
                return Self { columns: size.ws_col.into(), rows: size.ws_row.into() };
            }
        }
        Self::USUAL
    }
}

/// Whether stdout is a terminal: bytes of objects and bars can't share one.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether this program was started without the stream: what it writes there would be lost, and
/// what it reads there would be nothing at all.
pub fn stdout_is_closed() -> bool {
    #[cfg(target_os = "linux")]
    return is_stand_in(io::stdout());
    #[cfg(not(target_os = "linux"))]
    false
}

/// As `stdout_is_closed`.
pub fn stdin_is_closed() -> bool {
    #[cfg(target_os = "linux")]
    return is_stand_in(io::stdin());
    #[cfg(not(target_os = "linux"))]
    false
}

/// Whether it is what the standard library opens in the place of a closed stream, before anything
/// of ours runs: `/dev/null`, to read and to write. A shell opens it for one of them only, and most
/// programs that hand it on open it to be closed in their children.
#[cfg(target_os = "linux")]
fn is_stand_in(stream: impl std::os::fd::AsFd) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
    let (Ok(found), Ok(null)) = (fstat(&stream), stat("/dev/null")) else { return false };
    let is_null = (found.st_dev, found.st_ino) == (null.st_dev, null.st_ino);
    is_null
        && fcntl_getfl(&stream).is_ok_and(|flags| {
            flags & OFlags::ACCMODE == OFlags::RDWR && !flags.contains(OFlags::CLOEXEC)
        })
}

/// What a person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// Nobody can be asked: standard input or error is no terminal.
    Nobody,
}

/// Asks, and waits for a line.
pub fn read_answer(question: &str) -> Answer {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Answer::Nobody;
    }
    Stderr.write_all(question.as_bytes()).ok();
    let mut line = String::new();
    let is_yes = |line: &str| matches!(line.trim().to_lowercase().as_str(), "y" | "yes");
    match io::stdin().read_line(&mut line) {
        Ok(_) if is_yes(&line) => Answer::Yes,
        Ok(_) | Err(_) => Answer::No,
    }
}

/// Standard output for the bytes of an object: unbuffered, and every error is told.
pub fn object_output() -> Box<dyn Write + Send> {
    Box::new(Patient(raw_stdout()))
}

/// Standard output for lines: buffered until `flush`.
pub struct Output {
    writer: BufWriter<Box<dyn Write + Send>>,
    flushing: Flushing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flushing {
    /// Someone reads along.
    EachLine,
    WhenFull,
}

impl Output {
    pub fn stdout() -> Self {
        let flushing = if stdout_is_terminal() { Flushing::EachLine } else { Flushing::WhenFull };
        Self { flushing, ..Self::to(object_output()) }
    }

    pub fn to(writer: Box<dyn Write + Send>) -> Self {
        Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, writer),
            flushing: Flushing::WhenFull,
        }
    }

    pub fn write_line(&mut self, line: &str) -> Result<(), OutputError> {
        self.writer.write_all(line.as_bytes())?;
        self.writer.write_all(b"\n")?;
        if self.flushing == Flushing::EachLine {
            self.flush()?;
        }
        Ok(())
    }

    /// To be called at the end: a buffer that is only dropped loses its error.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.writer.flush()?)
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

impl fmt::Debug for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Output").field("flushing", &self.flushing).finish_non_exhaustive()
    }
}

/// Standard error. Every write succeeds; one call is one write, so lines of several threads and
/// processes do not mix.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Patient(io::stderr()).write_all(bytes).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to a stream that another process may have set to non-blocking (a shared terminal, a
/// pipe of some parent): there a full pipe is an error that only asks for patience.
struct Patient<W>(W);

const PATIENCE: Duration = Duration::from_millis(2);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(PATIENCE);
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The descriptor itself: `std::io::Stdout` looks for newlines in what it is given, and keeps what
/// is behind the last one until the process ends, where its error is lost.
fn raw_stdout() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        if let Ok(descriptor) = io::stdout().as_fd().try_clone_to_owned() {
            return Box::new(std::fs::File::from(descriptor));
        }
    }
    Box::new(io::stdout())
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A stream whose bytes a test can read.
    #[derive(Debug, Clone, Default)]
    pub(in crate::ui) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub(in crate::ui) fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A pipe whose reader behaves as told.
    struct Pipe(Vec<io::ErrorKind>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.pop().map_or(Ok(bytes.len()), |kind| Err(kind.into()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_told_apart_from_a_full_disk() {
        let mut output = Output::to(Box::new(Pipe(vec![io::ErrorKind::BrokenPipe])));
        output.write_line("a").expect("buffered");
        assert!(matches!(output.flush(), Err(OutputError::Closed)));
        let mut output = Output::to(Box::new(Pipe(vec![io::ErrorKind::StorageFull])));
        output.write_line("a").expect("buffered");
        assert!(matches!(output.flush(), Err(OutputError::Failed(_))));
    }

    #[test]
    fn a_pipe_that_is_full_for_now_is_waited_for() {
        let mut pipe = Patient(Pipe(vec![io::ErrorKind::WouldBlock; 2]));
        assert_eq!(pipe.write(b"abc").expect("written at last"), 3);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error_at_the_flush() {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
        let mut output = Output::to(Box::new(full));
        output.write_line("a").expect("buffered");
        assert!(matches!(output.flush(), Err(OutputError::Failed(_))));
    }

    #[cfg(unix)]
    #[test]
    fn dumb_and_unnamed_terminals_get_no_escapes() {
        for (is_terminal, term, watched) in [
            (true, Some("xterm-256color"), Watched::Terminal),
            (true, Some("dumb"), Watched::No),
            (true, None, Watched::No),
            (false, Some("xterm-256color"), Watched::No),
        ] {
            assert_eq!(Watched::decide(is_terminal, term), watched, "{term:?}");
        }
    }
}
