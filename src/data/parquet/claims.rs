//! What the headers of a Parquet file claim, held against their bytes before the parquet crate believes
//! it: that counts the elements of a list up to whatever number it is said to have, and sets memory aside
//! for as many values as a dictionary is said to have.
//!
//! The headers are Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>), their fields those
//! of <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};

use parquet::basic::{Compression, Type};
use parquet::file::metadata::ColumnChunkMetaData;

/// Structs and lists within each other at most; those of Parquet go half as deep.
const DEEPEST: usize = 24;
/// Bytes that are read for the header of a page, to begin with.
const PAGE_HEADER: u64 = 1 << 13;
/// What a footer ends with, behind its length in four bytes.
const MAGIC: &[u8; 4] = b"PAR1";
/// The number of a page of a dictionary, in a page's header.
const DICTIONARY: u64 = 2;
/// Kinds of fields.
const I32: u8 = 5;
const STRUCT: u8 = 12;

/// Whether every length in the footer is one that its bytes have room for. A file that is not a Parquet
/// file in other ways is left to the library.
pub(super) fn footer_holds(file: &mut File, length: u64) -> Result<bool> {
    let mut end = [0; 8];
    let Some(place) = length.checked_sub(end.len() as u64) else { return Ok(true) };
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut end)?;
    let (size, magic) = end.split_at(4);
    let size = u32::from_le_bytes(size.try_into().unwrap_or_default());
    let Some(start) = place.checked_sub(size.into()).filter(|_| magic == MAGIC) else {
        return Ok(true);
    };
    let footer = bytes_at(file, start, size.into())?;
    Ok(Skim::new(&footer).structure(&mut |_, _, _| ()).is_some())
}

/// Whether the header of every page of a column chunk is one that its bytes have room for, and its
/// dictionary has no more values than its bytes can hold.
pub(super) fn pages_hold(file: &mut File, chunk: &ColumnChunkMetaData) -> Result<bool> {
    let (mut place, length) = chunk.byte_range();
    let end = place + length;
    // Bytes of the chunk, and where in the file they begin.
    let (mut bytes, mut start) = (Vec::new(), place);
    while place < end {
        let mut wanted = PAGE_HEADER;
        let page = loop {
            let known = usize::try_from(place - start).ok().and_then(|known| bytes.get(known..));
            if let Some(page) = known.and_then(Page::read) {
                break page;
            }
            // All that there is of this page has been looked at.
            if start == place && bytes.len() as u64 == end - place {
                return Ok(false);
            }
            (bytes, start) = (bytes_at(file, place, wanted.min(end - place))?, place);
            wanted *= 4;
        };
        // Of what is not compressed the library does not look at the other size.
        let size = match chunk.compression() {
            Compression::UNCOMPRESSED => page.compressed,
            _ => page.size,
        };
        if page.values > size / least_width(chunk) {
            return Ok(false);
        }
        place += page.length;
    }
    Ok(true)
}

/// Fewest bytes of a value in a dictionary.
fn least_width(chunk: &ColumnChunkMetaData) -> u64 {
    match chunk.column_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => chunk.column_descr().type_length().max(1) as u64,
    }
}

fn bytes_at(file: &mut File, place: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What the header of a page says.
struct Page {
    /// Bytes of its header and of what follows it in the file.
    length: u64,
    /// Bytes of its values in the file.
    compressed: u64,
    /// The same once they are no longer compressed.
    size: u64,
    /// Values of the dictionary that it is; 0 of another.
    values: u64,
}

impl Page {
    /// The page that these bytes begin with. The library takes a field for what it is to be, whatever it is
    /// said to be, and the last of several: so each is of its kind here, there once, and no larger than the
    /// library holds.
    fn read(bytes: &[u8]) -> Option<Self> {
        let [mut kind, mut size, mut compressed, mut values] = [None; 4];
        let (mut skim, mut odd) = (Skim::new(bytes), false);
        skim.structure(&mut |path, wire, value| {
            let place = match path {
                [1] => &mut kind,
                [2] => &mut size,
                [3] => &mut compressed,
                [7, 1] => &mut values,
                [7] => return odd |= wire != STRUCT,
                _ => return,
            };
            odd |= wire != I32 || place.is_some();
            *place = i32::try_from(value).ok().and_then(|value| u64::try_from(value).ok());
            odd |= place.is_none();
        })?;
        let values = if kind? == DICTIONARY { values? } else { 0 };
        let length = (skim.at as u64).checked_add(compressed?)?;
        (!odd).then_some(Self { length, compressed: compressed?, size: size?, values })
    }
}

/// Who hears of the values.
type Visit<'a> = dyn FnMut(&[i16], u8, i64) + 'a;

/// Passes over values of the compact protocol, and never over more elements than there are bytes.
struct Skim<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The fields that the present value is in.
    path: Vec<i16>,
    depth: usize,
}

impl<'a> Skim<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, path: Vec::new(), depth: 0 }
    }

    /// A struct; `visit` hears of each value, with the fields that it is in and its kind, and what it is
    /// where it is a whole number.
    fn structure(&mut self, visit: &mut Visit) -> Option<()> {
        let mut field = 0_i16;
        loop {
            let head = self.byte()?;
            let (step, kind) = (head >> 4, head & 15);
            if kind == 0 {
                return Some(());
            }
            field = match step {
                0 => i16::try_from(self.whole()?).ok()?,
                step => field.checked_add(step.into())?,
            };
            self.path.push(field);
            // The value of a truth is in its kind.
            if kind > 2 {
                self.value(kind, visit)?;
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8, visit: &mut Visit) -> Option<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        if !(4..=6).contains(&kind) {
            visit(&self.path, kind, 0);
        }
        match kind {
            1..=3 => self.skip(1)?,
            4..=6 => {
                let value = self.whole()?;
                visit(&self.path, kind, value);
            }
            7 => self.skip(8)?,
            8 => {
                let length = self.varint()?;
                self.skip(length)?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = if head >> 4 == 15 { self.varint()? } else { (head >> 4).into() };
                self.elements(size, &[head & 15], visit)?;
            }
            11 => {
                let size = self.varint()?;
                let kinds = if size == 0 { 0 } else { self.byte()? };
                self.elements(size, &[kinds >> 4, kinds & 15], visit)?;
            }
            12 => self.structure(visit)?,
            13 => self.skip(16)?,
            _ => return None,
        }
        self.depth -= 1;
        Some(())
    }

    /// So many elements, each of values of these kinds, which take a byte at least.
    fn elements(&mut self, size: u64, kinds: &[u8], visit: &mut Visit) -> Option<()> {
        if size > (self.bytes.len() - self.at) as u64 {
            return None;
        }
        for _ in 0..size {
            kinds.iter().try_for_each(|&kind| self.value(kind, visit))?;
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        let at = self.at.checked_add(usize::try_from(bytes).ok()?)?;
        self.at = Some(at).filter(|&at| at <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    /// A whole number with its sign in the lowest bit.
    fn whole(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Vec<(Vec<i16>, i64)>;

    /// Whole numbers with the fields that they are in, and the bytes that were read.
    fn skimmed(bytes: &[u8]) -> Option<(Found, usize)> {
        let (mut skim, mut found) = (Skim::new(bytes), Vec::new());
        skim.structure(&mut |path, kind, value| {
            if (4..=6).contains(&kind) {
                found.push((path.to_vec(), value));
            }
        })?;
        Some((found, skim.at))
    }

    #[test]
    fn values_of_every_kind_are_passed_over() {
        // 1: i32 −2; 3: true; 4: binary "ab"; 5: list of two i32, 7 and 300; 20 (long form): struct
        // { 1: i64 1; 2: double }; 21: map of one i8 to an i16; 22: uuid.
        let bytes = [
            &[0x15, 0x03, 0x21, 0x18, 2, b'a', b'b', 0x19, 0x25, 14, 0xD8, 0x04][..],
            &[0x0C, 40, 0x16, 2, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x1B, 1, 0x34, 9, 6, 0x1D],
            &[0; 16],
            &[0, 99],
        ]
        .concat();
        let (found, read) = skimmed(&bytes).unwrap();
        let expected =
            [(vec![1], -2), (vec![5], 7), (vec![5], 300), (vec![20, 1], 1), (vec![21], 3)];
        assert_eq!((found, read), (expected.to_vec(), bytes.len() - 1));
        for end in 0..read {
            assert_eq!(skimmed(&bytes[..end]), None, "{end} bytes");
        }
    }

    #[test]
    fn lists_that_claim_more_than_there_is_are_none() {
        // A list of 2³¹ − 1 truths, a map of as many, and lists within lists.
        let many = [0xFF, 0xFF, 0xFF, 0xFF, 0x07];
        assert_eq!(skimmed(&[&[0x19, 0xF1][..], &many, &[0; 40]].concat()), None);
        assert_eq!(skimmed(&[&[0x1B][..], &many, &[0x11], &[0; 40]].concat()), None);
        assert_eq!(skimmed(&[&[0x19][..], &[0x19; 100], &[0; 100]].concat()), None);
    }

    /// A page of a dictionary of three values, 24 bytes, and others that the library takes for one.
    #[test]
    fn what_a_page_says_is_of_its_kind_and_said_once() {
        let dictionary = [0x15, 4, 0x15, 48, 0x15, 48, 0x4C, 0x15, 6, 0x15, 0, 0, 0];
        let page = Page::read(&dictionary).unwrap();
        assert_eq!((page.values, page.size, page.compressed, page.length), (3, 24, 24, 37));
        // Its type is 2³² + 2, its values are bytes, they are an i64, they are there twice.
        let large = [0x15, 0x84, 0x80, 0x80, 0x80, 0x20];
        assert!(Page::read(&[&large[..], &dictionary[2..]].concat()).is_none());
        let mut hidden = dictionary;
        hidden[6] = 0x48;
        assert!(Page::read(&[&hidden[..7], &[5], &hidden[7..]].concat()).is_none());
        let mut wide = dictionary;
        wide[7] = 0x16;
        assert!(Page::read(&wide).is_none());
        let twice = [&dictionary[..11], &[0x05, 14, 0x15, 6, 0, 0]].concat();
        assert!(Page::read(&twice).is_none());
        assert!(Page::read(&dictionary[..12]).is_none());
    }
}
