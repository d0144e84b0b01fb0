//! What the targets share: the shape of an input.

/// An input: a byte of flags, three that say how the rest is cut, and the rest. A digit there is a
/// small number, so that seeds can be written by hand.
pub struct Input<'a> {
    pub flags: u8,
    pub bytes: &'a [u8],
    cuts: [u8; 3],
}

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Option<Input<'a>> {
        match data {
            [flags, a, b, c, bytes @ ..] => Some(Input { flags: *flags, bytes, cuts: [*a, *b, *c] }),
            _ => None,
        }
    }

    /// The bytes in pieces of one to sixteen, which together are the whole.
    pub fn chunks(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut lengths = self.cuts.into_iter().map(|cut| usize::from(cut & 15) + 1).cycle();
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (chunk, behind) = rest.split_at(lengths.next()?.min(rest.len()));
            rest = behind;
            (!chunk.is_empty()).then_some(chunk)
        })
    }
}
