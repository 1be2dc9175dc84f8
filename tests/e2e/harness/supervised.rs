//! Starts a server that others wrote and makes sure that it ends with the test, also when the
//! test panics or is killed. It must never leave a process, a folder or a socket behind.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::server::Server;

const READY_WITHIN: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// Ports are only likely to be free, since another process may take one in between.
const STARTS: usize = 3;

/// The shell holds the server and reads a pipe whose other end is the test's: when the test is
/// gone, for whatever reason, the pipe ends and everything goes. `$1` is the folder, `$2` a
/// pattern of sockets, the rest the server's command line.
const SUPERVISOR: &str = r#"
exec 3<&0
folder=$1 sockets=$2
shift 2
"$@" </dev/null 3<&- &
server=$!
{
    cat <&3
    kill -9 $server
    while kill -0 $server; do sleep 0.05; done
    rm -rf "$folder" $sockets
} >/dev/null 2>&1 &
exec 3<&-
wait $server
echo "the server ended: $?"
"#;

pub(crate) struct Supervised {
    shell: Child,
    /// Its closing is what stops the server.
    lifeline: Option<ChildStdin>,
    log: PathBuf,
    endpoint: SocketAddr,
    folder: PathBuf,
}

/// How to start one server in `folder`, with the first of its ports being the one for S3.
pub(super) struct Recipe {
    pub(super) name: &'static str,
    pub(super) ports: usize,
    pub(super) command: fn(&Path, &[u16]) -> Vec<String>,
    /// Shell pattern of the files it leaves outside its folder, given its ports.
    pub(super) sockets: fn(&[u16]) -> String,
}

impl Supervised {
    pub(super) fn start(recipe: &Recipe) -> Self {
        let mut failures = String::new();
        for _ in 0..STARTS {
            let mut server = Self::spawn(recipe);
            match server.wait_until_ready() {
                Ok(()) => return server,
                Err(why) => failures.push_str(&why),
            }
        }
        panic!("{} does not start:\n{failures}", recipe.name);
    }

    fn spawn(recipe: &Recipe) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(recipe.name)
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a temporary folder can be made");
        let log = folder.path().join("server.log");
        let ports = free_ports(recipe.ports);
        let output = File::create(&log).expect("the server's folder is writable");
        let mut shell = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(folder.path())
            .arg((recipe.sockets)(&ports))
            .args((recipe.command)(folder.path(), &ports))
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a file can be opened twice"))
            .stderr(output)
            .spawn()
            .expect("there is a shell");
        Self {
            lifeline: shell.stdin.take(),
            shell,
            log,
            endpoint: SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0])),
            // From here on the supervisor removes it: what is in a `static` is never dropped.
            folder: folder.keep(),
        }
    }

    /// Ready is when the S3 port answers HTTP: it may be open long before.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let since = Instant::now();
        loop {
            if answers_http(self.endpoint) {
                return Ok(());
            }
            let ended = self.shell.try_wait().expect("a child can be waited for");
            if ended.is_some() || since.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<_> = log.lines().rev().take(20).collect();
                let lines: Vec<_> = lines.into_iter().rev().collect();
                let tail = lines.join(
                    "
  ",
                );
                return Err(format!("no answer after {:.1?}\n  {tail}\n", since.elapsed()));
            }
            thread::sleep(POLL);
        }
    }
}

impl Server for Supervised {
    fn endpoint(&self) -> String {
        format!("http://{}", self.endpoint)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        self.shell.wait().ok();
        // The supervisor's last act, which `wait` does not cover.
        let since = Instant::now();
        while self.folder.exists() && since.elapsed() < Duration::from_secs(10) {
            thread::sleep(POLL);
        }
    }
}

/// Ports that were free a moment ago; all are held until the last one is known.
fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    let listeners: Vec<_> = (0..count).map(bind).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    listeners.iter().map(port).collect()
}

fn answers_http(endpoint: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect_timeout(&endpoint, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET / HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n")?;
        let mut start = [0; 5];
        match stream.read_exact(&mut start) {
            Ok(()) => Ok(&start == b"HTTP/"),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    };
    ask().unwrap_or(false)
}
