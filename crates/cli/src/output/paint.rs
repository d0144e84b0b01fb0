//! Colours of the typed form, by what a part of it is.

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// An error.
    Error,
    /// A number.
    Number,
    /// Truth, falsehood, nothing, an empty aggregate.
    Constant,
    /// A string.
    Text,
    /// What is not data: numbering, types, hints.
    Dim,
    /// A command's name.
    Name,
    /// A heading in help.
    Label,
}

/// Writes parts in their colours, or plainly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Paints only when `on`.
    pub(crate) fn new(on: bool) -> Paint {
        Paint { on }
    }

    /// Whether colours are used.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// Appends `bytes` in the colour of `tone`.
    pub(crate) fn write(self, out: &mut Vec<u8>, tone: Tone, bytes: &[u8]) {
        if !self.on {
            return out.extend_from_slice(bytes);
        }
        let code = match tone {
            Tone::Error => "31",
            Tone::Number => "36",
            Tone::Constant => "35",
            Tone::Text => "32",
            Tone::Dim => "90",
            Tone::Name => "1",
            Tone::Label => "33",
        };
        out.extend_from_slice(format!("\x1b[{code}m").as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\x1b[0m");
    }

    /// `text` in the colour of `tone`.
    pub(crate) fn text(self, tone: Tone, text: &str) -> String {
        let mut out = Vec::new();
        self.write(&mut out, tone, text.as_bytes());
        String::from_utf8_lossy(&out).into_owned()
    }
}
