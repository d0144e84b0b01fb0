//! Requests as tests make them.

use std::fmt;

use resp::ArgsBuf;

/// The arguments of a request, the command's name first.
#[derive(Clone, PartialEq, Eq)]
pub struct Request(pub Vec<Vec<u8>>);

impl Request {
    /// A request of these arguments.
    pub fn new<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Request {
        Request(args.into_iter().map(|arg| arg.as_ref().to_vec()).collect())
    }

    /// The words of `line`, parted by spaces.
    pub fn of(line: &str) -> Request {
        Request::new(line.split_whitespace())
    }

    /// The command's name in lower case.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.0[0]).to_lowercase()
    }

    /// Argument `i` in lower case, or nothing.
    pub fn word(&self, i: usize) -> Option<String> {
        self.0.get(i).map(|arg| String::from_utf8_lossy(arg).to_lowercase())
    }

    /// The request as a command's function gets it.
    pub fn args(&self) -> ArgsBuf {
        self.0.iter().collect()
    }

    /// The request as it is sent to a server.
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = format!("*{}\r\n", self.0.len()).into_bytes();
        for arg in &self.0 {
            out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            out.extend_from_slice(arg);
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

/// As one would type it; what is long is cut.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_BYTES_MAX: usize = 60;
        for (i, arg) in self.0.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            let plain = !arg.is_empty() && arg.iter().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(b));
            let shown = arg[..arg.len().min(SHOWN_BYTES_MAX)].escape_ascii();
            let cut =
                if arg.len() > SHOWN_BYTES_MAX { format!("...({} bytes)", arg.len()) } else { String::new() };
            if plain { write!(f, "{gap}{shown}{cut}")? } else { write!(f, "{gap}\"{shown}\"{cut}")? }
        }
        Ok(())
    }
}
