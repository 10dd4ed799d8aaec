//! A page for this machine alone: an HTTP server on the loopback address, behind a random token.
//!
//! Whoever is on this machine can connect, so it trusts no request: it reads a head of a few kilobytes
//! within a few seconds and no body, answers once and closes.

use std::fmt::Display;
use std::io::{Error as IoError, ErrorKind, Read, Result as IoResult, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Bytes of randomness in the address, which no other process can guess.
const TOKEN_BYTES: usize = 16;
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 8192;
/// Header lines of a request.
const MOST_HEADERS: usize = 64;
/// Connections that are served at once; more are closed unread.
const MOST_CONNECTIONS: usize = 32;
/// Longest time for a request to come, and for a piece of an answer to be taken.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What the browser is told with every answer: to keep nothing, to guess no type, to pass the
/// address on to nobody, and to let no other page read or frame this one.
const HEADERS: &str = "Cache-Control: no-store\r\n\
                       X-Content-Type-Options: nosniff\r\n\
                       Referrer-Policy: no-referrer\r\n\
                       Cross-Origin-Resource-Policy: same-origin\r\n\
                       X-Frame-Options: DENY\r\n\
                       Connection: close\r\n";

/// What is sent for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An HTML document.
    Page(Vec<u8>),
    /// A JSON text.
    Json(Vec<u8>),
}

/// A server that runs until this is dropped.
pub struct Server {
    shared: Arc<Shared>,
    at: SocketAddr,
    address: String,
}

struct Shared {
    stopped: AtomicBool,
    /// Connections that are open, and those of them whose answer is under way.
    connections: AtomicUsize,
    answers: AtomicUsize,
    /// The host that requests must be for, and the folder that their names lie in.
    host: String,
    folder: String,
}

impl Server {
    /// Serves what `content` gives for the names below [`address`](Self::address): the empty name is
    /// the page itself. It may wait for what there is to give. Nothing else is answered, and no
    /// request that was made for another host or by another origin's page.
    ///
    /// # Errors
    /// Where the operating system gives no port on 127.0.0.1 or no randomness.
    pub fn start(
        content: impl Fn(&str) -> Option<Content> + Send + Sync + 'static,
    ) -> Result<Self> {
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).map_err(|error| unserved(&error))?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| unserved(&error))?;
        let at = listener.local_addr().map_err(|error| unserved(&error))?;
        let shared = Arc::new(Shared {
            stopped: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            host: at.to_string(),
            folder: format!("/{token}/"),
        });
        let (of_thread, content) = (Arc::clone(&shared), Arc::new(content));
        std::thread::spawn(move || of_thread.accept(&listener, &content));
        Ok(Self { address: format!("http://{at}/{token}/"), shared, at })
    }

    /// Where the page is: `http://127.0.0.1:PORT/TOKEN/`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Server {
    /// Gives answers that are under way some time.
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The listener looks at this only when someone comes.
        let _ = TcpStream::connect_timeout(&self.at, TIMEOUT);
        let begin = Instant::now();
        while self.shared.answers.load(Ordering::SeqCst) > 0 && begin.elapsed() < 2 * TIMEOUT {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn unserved(error: &dyn Display) -> Error {
    Error::failed(format!("a live page cannot be served on 127.0.0.1: {error}"))
        .help("leave --live out; report.html is written all the same")
}

impl Shared {
    fn accept(
        self: &Arc<Self>,
        listener: &TcpListener,
        content: &Arc<impl Fn(&str) -> Option<Content> + Send + Sync + 'static>,
    ) {
        loop {
            let stream = listener.accept();
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok((stream, _)) = stream else {
                // Out of file descriptors, say: others may give some back.
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            if self.connections.load(Ordering::SeqCst) >= MOST_CONNECTIONS {
                continue;
            }
            let place = Counted::new(Arc::clone(self), |shared| &shared.connections);
            let content = Arc::clone(content);
            // Where the system gives no thread the connection is closed.
            let _ = std::thread::Builder::new().spawn(move || {
                // A page that was closed in between needs no answer.
                let _ = place.shared.serve(stream, &*content);
            });
        }
    }

    fn serve(
        self: &Arc<Self>,
        mut stream: TcpStream,
        content: &dyn Fn(&str) -> Option<Content>,
    ) -> IoResult<()> {
        stream.set_write_timeout(Some(TIMEOUT))?;
        let head = read_head(&mut stream)?;
        let _under_way = Counted::new(Arc::clone(self), |shared| &shared.answers);
        let found = self.name(&head).and_then(|name| content(name).ok_or("404 Not Found"));
        let (status, kind, body) = match found {
            Ok(Content::Page(body)) => ("200 OK", "text/html; charset=utf-8", body),
            Ok(Content::Json(body)) => ("200 OK", "application/json", body),
            Err(refusal) => (refusal, "text/plain", refusal.as_bytes().to_vec()),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{HEADERS}\r\n"
        );
        stream.write_all(answer.as_bytes())?;
        stream.write_all(&body)
    }

    /// The name that a request is for, or the status to refuse it with. A page of another origin that
    /// had its own name point at this machine would ask for that name as host.
    fn name<'a>(&self, head: &'a [u8]) -> std::result::Result<&'a str, &'static str> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        if !request.parse(head).is_ok_and(|parsed| parsed.is_complete()) {
            return Err("400 Bad Request");
        }
        let header = |name: &str| {
            let mut of_name = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
            of_name.next().map(|header| header.value)
        };
        let origin = format!("http://{}", self.host);
        if header("Host") != Some(self.host.as_bytes())
            || header("Origin").is_some_and(|found| found != origin.as_bytes())
        {
            return Err("403 Forbidden");
        }
        if request.method != Some("GET") {
            return Err("405 Method Not Allowed");
        }
        request.path.and_then(|path| path.strip_prefix(&self.folder)).ok_or("404 Not Found")
    }
}

/// One more in a count, until it is dropped.
struct Counted {
    shared: Arc<Shared>,
    of: fn(&Shared) -> &AtomicUsize,
}

impl Counted {
    fn new(shared: Arc<Shared>, of: fn(&Shared) -> &AtomicUsize) -> Self {
        of(&shared).fetch_add(1, Ordering::SeqCst);
        Self { shared, of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.of)(&self.shared).fetch_sub(1, Ordering::SeqCst);
    }
}

/// Everything up to the empty line that ends a request's head.
fn read_head(stream: &mut TcpStream) -> IoResult<Vec<u8>> {
    let begin = Instant::now();
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let left = TIMEOUT.saturating_sub(begin.elapsed());
        if head.len() >= LARGEST_HEAD || left.is_zero() {
            return Err(IoError::from(ErrorKind::InvalidData));
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece)? {
            0 => return Err(IoError::from(ErrorKind::UnexpectedEof)),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve() -> Server {
        Server::start(|name| match name {
            "" => Some(Content::Page(b"<p>here</p>".to_vec())),
            "state" => Some(Content::Json(b"{}".to_vec())),
            _ => None,
        })
        .unwrap()
    }

    fn send(server: &Server, lines: &str) -> TcpStream {
        let mut stream = TcpStream::connect(server.at).unwrap();
        let request = lines.replace("HOST", &server.at.to_string());
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// The whole answer to a request of these lines.
    fn ask(server: &Server, lines: &str) -> String {
        let mut answer = String::new();
        send(server, &format!("{lines}\r\n\r\n")).read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn names_below_the_token_are_served_with_headers_that_keep_others_out() {
        let server = serve();
        assert!(server.address().starts_with("http://127.0.0.1:"));
        let folder = &server.shared.folder;
        assert_eq!(folder.len(), 2 + 2 * TOKEN_BYTES);
        let page = ask(&server, &format!("GET {folder} HTTP/1.1\r\nHost: HOST"));
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains(HEADERS) && page.ends_with("\r\n\r\n<p>here</p>"), "{page}");
        let own = format!("GET {folder}state HTTP/1.1\r\nhost: HOST\r\nOrigin: http://HOST");
        let state = ask(&server, &own);
        assert!(state.contains("application/json") && state.ends_with("{}"), "{state}");
        assert_ne!(serve().shared.folder, *folder);
    }

    #[test]
    fn everything_else_is_refused() {
        let server = serve();
        let folder = &server.shared.folder;
        for (lines, status) in [
            ("GET / HTTP/1.1\r\nHost: HOST".to_owned(), 404),
            ("GET /state HTTP/1.1\r\nHost: HOST".to_owned(), 404),
            (format!("GET {folder}other HTTP/1.1\r\nHost: HOST"), 404),
            (format!("GET {folder} HTTP/1.1\r\nHost: rebound.example"), 403),
            (format!("GET {folder} HTTP/1.1"), 403),
            (format!("GET {folder} HTTP/1.1\r\nHost: HOST\r\nOrigin: https://a.example"), 403),
            (format!("POST {folder} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5000"), 405),
            ("no request".to_owned(), 400),
            (format!("GET / HTTP/1.1{}", "\r\na: b".repeat(MOST_HEADERS + 1)), 400),
        ] {
            let answer = ask(&server, &lines);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{lines}: {answer}");
        }
    }

    /// What is claimed takes no memory, and who says nothing or takes nothing holds up nobody.
    #[test]
    fn hostile_connections_neither_stop_the_server_nor_its_end() {
        let server = serve();
        let folder = server.shared.folder.clone();
        let claims = "GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4611686018427387904";
        assert!(ask(&server, claims).starts_with("HTTP/1.1 404"));
        let endless = format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(2 * LARGEST_HEAD));
        let mut none = String::new();
        // Closed with or without a word.
        let _ = send(&server, &endless).read_to_string(&mut none);
        assert_eq!(none, "");
        let held: Vec<TcpStream> =
            (0..2 * MOST_CONNECTIONS).map(|_| send(&server, "GET")).collect();
        drop(held);
        let page = format!("GET {folder} HTTP/1.1\r\nHost: HOST");
        let begin = Instant::now();
        loop {
            let mut answer = String::new();
            let read = send(&server, &format!("{page}\r\n\r\n")).read_to_string(&mut answer);
            if read.is_ok() && answer.starts_with("HTTP/1.1 200") {
                break;
            }
            assert!(begin.elapsed() < 4 * TIMEOUT, "it never came back");
        }
        let _silent: Vec<TcpStream> = (0..4).map(|_| send(&server, "GET")).collect();
        let begin = Instant::now();
        drop(server);
        assert!(begin.elapsed() < TIMEOUT, "its end waited for who says nothing");
    }
}
