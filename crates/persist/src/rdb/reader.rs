//! Reading a file, item by item. Values are found, not decoded: [`Raw::decode`] does that, on any thread.

use std::io::Read;

use super::decode::decode;
use super::error::{Error, Fault};
use super::format::{CHECKSUM_VERSION_MIN, Dialect, Encoding, REDIS_VERSION_MAX, VALKEY_VERSION, opcode};
use super::input::{Input, Slice, Window};
use super::module::{self, ModuleName};
use super::skip::skip_value;
use super::value::{Bytes, Value};

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct ReaderOptions {
    /// Whether the checksum at the end must be right (`rdbchecksum`). One that is 0 was never computed, and is right.
    pub checksum: bool,
}

/// Something in a file.
#[derive(Debug)]
pub enum Item<'r> {
    /// A name and a value about the file.
    Aux {
        /// The name.
        name: Bytes<'r>,
        /// The value.
        value: Bytes<'r>,
    },
    /// The database of what follows.
    Select(u64),
    /// How many keys the database has.
    Resize {
        /// All of them.
        keys: u64,
        /// Those with a deadline.
        volatile: u64,
    },
    /// A key with its value.
    Key(Record<'r>),
    /// A library of functions: its code.
    Function(Bytes<'r>),
    /// Data of a module that belong to no key; they are passed over.
    ModuleAux(ModuleName),
    /// What only a cluster's node uses; it is passed over.
    Slots,
}

/// A key with its value.
#[derive(Debug)]
pub struct Record<'r> {
    /// The key.
    pub key: Bytes<'r>,
    /// When it expires, in milliseconds since the Unix epoch; nothing: never.
    pub deadline_ms: Option<i64>,
    /// Seconds since it was last used.
    pub idle_s: Option<u64>,
    /// How often it is used, on the scale of OBJECT FREQ.
    pub frequency: Option<u8>,
    /// Its value.
    pub value: Raw<'r>,
}

/// A value as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'r> {
    /// How it is written.
    pub encoding: Encoding,
    /// The bytes.
    pub bytes: &'r [u8],
    /// Where they stand in the file.
    pub offset: u64,
}

impl<'r> Raw<'r> {
    /// Decodes it.
    ///
    /// # Errors
    /// It breaks a rule of its encoding.
    pub fn decode(&self) -> Result<Value<'r>, Error> {
        let mut input = Slice::new(self.bytes, self.offset);
        let value = decode(&mut input, self.encoding)?;
        if input.len() > 0 { Err(input.corrupt("bytes follow the value")) } else { Ok(value) }
    }
}

/// Reads a file.
#[derive(Debug)]
pub struct Reader<R> {
    window: Window<R>,
    version: u16,
    dialect: Dialect,
    ended: bool,
}

/// What stands before a key about it.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    deadline_ms: Option<i64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the beginning of `input`, which must be that of an RDB file of a known version.
    ///
    /// # Errors
    /// It is not, or cannot be read.
    pub fn new(input: R, options: ReaderOptions) -> Result<Reader<R>, Error> {
        let mut window = Window::new(input, options.checksum);
        let magic = window.array::<9>()?;
        let (dialect, digits) = match &magic {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Dialect::Redis, digits.as_slice()),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Dialect::Valkey, digits.as_slice()),
            _ => return Err(Error { offset: 0, fault: Fault::Magic(magic) }),
        };
        let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok());
        let number = number.ok_or(Error { offset: 0, fault: Fault::Magic(magic) })?;
        let version = u16::try_from(number).ok().filter(|version| match dialect {
            Dialect::Redis => (1..=REDIS_VERSION_MAX).contains(version),
            Dialect::Valkey => *version == VALKEY_VERSION,
        });
        let version = version.ok_or(Error { offset: 0, fault: Fault::Version(number) })?;
        Ok(Reader { window, version, dialect, ended: false })
    }

    /// The file's version.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Whose meaning types and opcodes have.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How many bytes were read: all up to what comes next.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// Gives the input back, with what was read from it and belongs to nothing that was returned: what follows the
    /// file's end, once [`Reader::next`] returned nothing.
    pub fn into_rest(self) -> (Vec<u8>, R) {
        self.window.into_rest()
    }

    /// The next item; nothing at the end, whose checksum is right.
    ///
    /// # Errors
    /// The file is broken here, or cannot be read. What comes after is not to be relied on.
    #[allow(
        clippy::should_implement_trait,
        reason = "an item borrows the reader, which an iterator's cannot"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut about = About::default();
        loop {
            let offset = self.window.offset();
            match self.window.byte()? {
                opcode::DEADLINE_MS => about.deadline_ms = Some(i64::from_le_bytes(self.window.array()?)),
                opcode::DEADLINE_S => {
                    about.deadline_ms = Some(i64::from(i32::from_le_bytes(self.window.array()?)) * 1000);
                }
                opcode::IDLE => about.idle_s = Some(self.window.length()?),
                opcode::FREQUENCY => about.frequency = Some(self.window.byte()?),
                opcode::END => return self.end().map(|()| None),
                byte @ opcode::SLOT_IMPORT.. => return self.special(byte, offset),
                byte => return self.key(byte, offset, about).map(|record| Some(Item::Key(record))),
            }
        }
    }

    fn key(&mut self, byte: u8, offset: u64, about: About) -> Result<Record<'_>, Error> {
        let encoding =
            Encoding::of_byte(byte, self.dialect).ok_or(Error { offset, fault: Fault::Type(byte) })?;
        let window = &mut self.window;
        window.mark();
        let key_offset = window.offset();
        window.skip_string()?;
        let key_len = window.marked_len();
        let value_offset = window.offset();
        if let Err(error) = skip_value(window, encoding) {
            let key = Slice::new(&window.marked()[..key_len], key_offset).string()?;
            return Err(error.of_value(&key, encoding.name()));
        }
        let (key, bytes) = window.marked().split_at(key_len);
        Ok(Record {
            key: Slice::new(key, key_offset).string()?,
            deadline_ms: about.deadline_ms,
            idle_s: about.idle_s,
            frequency: about.frequency,
            value: Raw { encoding, bytes, offset: value_offset },
        })
    }

    /// What begins with an opcode.
    fn special(&mut self, byte: u8, offset: u64) -> Result<Option<Item<'_>>, Error> {
        let window = &mut self.window;
        window.mark();
        let item = match byte {
            opcode::SELECT => Item::Select(window.length()?),
            opcode::RESIZE => Item::Resize { keys: window.length()?, volatile: window.length()? },
            opcode::AUX => {
                window.skip_string()?;
                window.skip_string()?;
                let mut pair = Slice::new(window.marked(), offset + 1);
                Item::Aux { name: pair.string()?, value: pair.string()? }
            }
            opcode::FUNCTION => {
                window.skip_string()?;
                Item::Function(Slice::new(window.marked(), offset + 1).string()?)
            }
            opcode::MODULE_AUX => {
                let name = ModuleName(window.length()?);
                module::skip_body(window)?;
                Item::ModuleAux(name)
            }
            opcode::SLOT_INFO => {
                (0..3).try_for_each(|_| window.length().map(drop))?;
                Item::Slots
            }
            opcode::SLOT_IMPORT if self.dialect == Dialect::Valkey => {
                // The name of a migration, and the ranges of slots it moves.
                window.skip_string()?;
                let ranges = window.length()?;
                (0..ranges).try_for_each(|_| window.length().and_then(|_| window.length()).map(drop))?;
                Item::Slots
            }
            opcode::FUNCTION_PRE_GA => {
                let fault =
                    Fault::Corrupt("functions as release candidates of Redis 7.0 wrote them: load them anew");
                return Err(Error { offset, fault });
            }
            _ => return Err(Error { offset, fault: Fault::Type(byte) }),
        };
        Ok(Some(item))
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.version >= CHECKSUM_VERSION_MIN {
            let computed = self.window.checksum();
            let offset = self.window.offset();
            let stored = u64::from_le_bytes(self.window.array()?);
            if self.window.sums() && stored != 0 && stored != computed {
                return Err(Error { offset, fault: Fault::Checksum { stored, computed } });
            }
        }
        self.ended = true;
        Ok(())
    }
}
