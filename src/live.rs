//! A page for this machine alone: an HTTP server on the loopback address, behind a random token.

use std::fmt::Display;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tiny_http::{Header, Method, Request, Response, StatusCode};

use crate::error::{Error, Result};

/// Bytes of randomness in the address, which no other process can guess.
const TOKEN_BYTES: usize = 16;
/// What the browser is told with every answer: to keep nothing, to guess no type, to pass the
/// address on to nobody, and to let no other page read or frame this one.
const HEADERS: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
];

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
    listener: Arc<tiny_http::Server>,
    address: String,
    worker: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves what `content` gives for the names below [`address`](Self::address): the empty name is
    /// the page itself. Nothing else is answered, and no request that was made for another host or
    /// by another origin's page.
    ///
    /// # Errors
    /// Where the operating system gives no port on 127.0.0.1 or no randomness.
    pub fn start(content: impl Fn(&str) -> Option<Content> + Send + 'static) -> Result<Self> {
        let mut token = [0; TOKEN_BYTES];
        getrandom::fill(&mut token).map_err(|error| unserved(&error))?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        let listener =
            tiny_http::Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(|error| unserved(&error))?;
        let host = listener.server_addr().to_string();
        let address = format!("http://{host}/{token}/");
        let (listener, folder) = (Arc::new(listener), format!("/{token}/"));
        let requests = Arc::clone(&listener);
        let worker = std::thread::spawn(move || {
            for request in requests.incoming_requests() {
                let response = match check(&request, &host) {
                    Err(refusal) => plain(refusal),
                    Ok(()) => request
                        .url()
                        .strip_prefix(&folder)
                        .and_then(&content)
                        .map_or_else(|| plain(404), response),
                };
                // A page that was closed in between needs no answer.
                let _ = request.respond(response);
            }
        });
        Ok(Self { listener, address, worker: Some(worker) })
    }

    /// Where the page is: `http://127.0.0.1:PORT/TOKEN/`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.unblock();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
    }
}

fn unserved(error: &dyn Display) -> Error {
    Error::failed(format!("a live page cannot be served on 127.0.0.1: {error}"))
        .help("leave --live out; report.html is written all the same")
}

/// The status to refuse a request with, where it is to be refused. A page of another origin that had
/// its own name point at this machine would ask for that name as host.
fn check(request: &Request, host: &str) -> std::result::Result<(), u16> {
    let header = |name: &'static str| {
        let mut of_name = request.headers().iter().filter(move |h| h.field.equiv(name));
        of_name.next().map(|header| header.value.as_str())
    };
    if header("Host") != Some(host) {
        return Err(403);
    }
    if header("Origin").is_some_and(|origin| origin != format!("http://{host}")) {
        return Err(403);
    }
    match request.method() {
        Method::Get | Method::Head => Ok(()),
        _ => Err(405),
    }
}

type Bytes = Response<std::io::Cursor<Vec<u8>>>;

fn response(content: Content) -> Bytes {
    let (body, kind) = match content {
        Content::Page(body) => (body, "text/html; charset=utf-8"),
        Content::Json(body) => (body, "application/json"),
    };
    with_headers(Response::from_data(body), kind)
}

/// An answer that is a status alone.
fn plain(status: u16) -> Bytes {
    let reason = StatusCode(status).default_reason_phrase();
    with_headers(Response::from_string(reason).with_status_code(status), "text/plain")
}

fn with_headers(response: Bytes, kind: &str) -> Bytes {
    let headers = HEADERS.into_iter().chain([("Content-Type", kind)]);
    // The names and values above are ASCII, which is all that a header must be.
    let headers = headers.filter_map(|(name, value)| Header::from_bytes(name, value).ok());
    // All is there: it is sent with its length, in one piece.
    headers.fold(response.with_chunked_threshold(usize::MAX), Response::with_header)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn serve() -> Server {
        Server::start(|name| match name {
            "" => Some(Content::Page(b"<p>here</p>".to_vec())),
            "state" => Some(Content::Json(b"{}".to_vec())),
            _ => None,
        })
        .unwrap()
    }

    /// The whole answer to a request of these lines.
    fn ask(server: &Server, lines: &str) -> String {
        let host = server.address().split('/').nth(2).unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!("{lines}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.replace("HOST", host).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn folder(server: &Server) -> String {
        format!("/{}/", server.address().split('/').nth(3).unwrap())
    }

    #[test]
    fn names_below_the_token_are_served_with_headers_that_keep_others_out() {
        let server = serve();
        assert!(server.address().starts_with("http://127.0.0.1:"));
        let folder = folder(&server);
        assert_eq!(folder.len(), 2 + 2 * TOKEN_BYTES);
        let page = ask(&server, &format!("GET {folder} HTTP/1.1\r\nHost: HOST"));
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        assert!(page.ends_with("<p>here</p>"), "{page}");
        for (name, value) in HEADERS {
            assert!(page.contains(&format!("{name}: {value}")), "{name}: {page}");
        }
        let own = format!("GET {folder}state HTTP/1.1\r\nHost: HOST\r\nOrigin: http://HOST");
        let state = ask(&server, &own);
        assert!(state.contains("application/json") && state.ends_with("{}"), "{state}");
        assert_ne!(serve().address().rsplit('/').nth(1), server.address().rsplit('/').nth(1));
    }

    #[test]
    fn everything_else_is_refused() {
        let server = serve();
        let folder = folder(&server);
        for (lines, status) in [
            ("GET / HTTP/1.1\r\nHost: HOST".to_owned(), 404),
            ("GET /state HTTP/1.1\r\nHost: HOST".to_owned(), 404),
            (format!("GET {folder}other HTTP/1.1\r\nHost: HOST"), 404),
            (format!("GET {folder} HTTP/1.1\r\nHost: rebound.example"), 403),
            (format!("GET {folder} HTTP/1.1"), 403),
            (format!("GET {folder} HTTP/1.1\r\nHost: HOST\r\nOrigin: https://a.example"), 403),
            (format!("POST {folder} HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0"), 405),
        ] {
            let answer = ask(&server, &lines);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{lines}: {answer}");
        }
    }
}
