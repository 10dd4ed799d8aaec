//! NumPy's array files.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use npyz::{DType, Endianness, NpyFile, Order, TypeChar};

use super::choice::{Choice, check_width, positional};
use super::rows::{DAMAGED, RowSink, narrow};
use crate::error::{Error, Result};
use crate::input;

/// What to make of the bytes that a value has in the file: a number, and a label.
#[derive(Clone, Copy, Debug)]
struct Decode {
    number: fn(&[u8]) -> f64,
    label: fn(&[u8]) -> String,
}

/// The [`Decode`] of a type in one of the two orders of bytes.
macro_rules! decode {
    ($type:ty, $big:expr) => {
        match $big {
            true => decode!($type, from_be_bytes, number),
            false => decode!($type, from_le_bytes, number),
        }
    };
    ($type:ty, $from:ident, number) => {
        Decode {
            number: |bytes| bytes.try_into().map_or(f64::NAN, |b| <$type>::$from(b) as f64),
            // Not by way of a float, which does not tell all whole numbers apart.
            label: |bytes| {
                bytes.try_into().map_or(String::new(), |b| <$type>::$from(b).to_string())
            },
        }
    };
}

fn is_set(bytes: &[u8]) -> u8 {
    u8::from(bytes[0] != 0)
}

/// Longer headers belong to structured arrays with very many fields.
const LONGEST_HEADER: u64 = 1 << 16;
/// Bytes of the values that are held.
const BYTES_AT_ONCE: usize = 1 << 22;

/// A `.npy` file with one or two axes whose header has been read and checked.
#[derive(Debug)]
pub(super) struct NpyArray {
    path: PathBuf,
    rows: u64,
    columns: usize,
    order: Order,
    /// Bytes of a value, and what makes a number of them.
    size: usize,
    decode: Decode,
    /// Where the values begin.
    start: u64,
}

impl NpyArray {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let bad = |what: String| Error::input(format!("{}: {what}", path.display()));
        let reading = |error| Error::io("reading", path, error);
        let file = input::open(path)?;
        let length = file.metadata().map_err(reading)?.len();
        let mut file = BufReader::with_capacity(1 << 16, file);
        let unreadable = |error: &dyn std::fmt::Display| {
            bad(format!("not a readable .npy file: {error}")).help(DAMAGED)
        };
        check_header(&mut file).map_err(|error| unreadable(&error))?;
        file.rewind().map_err(reading)?;
        let npy = NpyFile::new(&mut file).map_err(|error| unreadable(&error))?;

        let (rows, columns) = match *npy.shape() {
            [rows] => (rows, 1),
            [rows, columns] => (rows, columns),
            ref shape => {
                return Err(bad(format!("the array has {} axes, not 1 or 2", shape.len()))
                    .help("save it as a two-dimensional array, one row an observation"));
            }
        };
        check_width(path, columns.try_into().unwrap_or(usize::MAX))?;
        let dtype = npy.dtype();
        let kind = match &dtype {
            DType::Plain(kind) => {
                let big = kind.endianness() == Endianness::Big;
                Some((kind.type_char(), kind.size_field(), big))
            }
            _ => None,
        };
        let size = dtype.num_bytes().unwrap_or(1);
        let order = npy.order();
        let decode: Decode = match kind {
            Some((TypeChar::Float, 4, big)) => decode!(f32, big),
            Some((TypeChar::Float, 8, big)) => decode!(f64, big),
            Some((TypeChar::Int, 1, big)) => decode!(i8, big),
            Some((TypeChar::Int, 2, big)) => decode!(i16, big),
            Some((TypeChar::Int, 4, big)) => decode!(i32, big),
            Some((TypeChar::Int, 8, big)) => decode!(i64, big),
            Some((TypeChar::Uint, 1, big)) => decode!(u8, big),
            Some((TypeChar::Uint, 2, big)) => decode!(u16, big),
            Some((TypeChar::Uint, 4, big)) => decode!(u32, big),
            Some((TypeChar::Uint, 8, big)) => decode!(u64, big),
            Some((TypeChar::Bool, 1, _)) => Decode {
                number: |bytes| f64::from(is_set(bytes)),
                label: |bytes| is_set(bytes).to_string(),
            },
            _ => {
                return Err(bad(format!("arrays of dtype {} cannot be read", dtype.descr()))
                    .help("save it as real numbers: array.astype(numpy.float32)"));
            }
        };
        drop(npy);
        let start = file.stream_position().map_err(reading)?;
        // What the shape claims is in the file must be there before memory is set aside for it.
        if rows
            .checked_mul(columns)
            .and_then(|count| count.checked_mul(size as u64))
            .is_none_or(|n| n > length.saturating_sub(start))
        {
            return Err(bad(format!(
                "the file is truncated: {length} bytes are too few for its shape ({rows}, {columns})"
            ))
            .help("write the file again"));
        }
        let (path, columns) = (path.to_owned(), columns as usize);
        Ok(Self { path, rows, columns, order, size, decode, start })
    }

    /// Names for its columns: `x0`, `x1`, …
    pub(super) fn names(&self) -> Vec<String> {
        positional(self.columns)
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Gives these rows to `sink`, and holds the bytes of few at a time.
    pub(super) fn read(
        &self,
        choice: &Choice,
        rows: Range<u64>,
        sink: &mut impl RowSink,
    ) -> Result<()> {
        let mut file = input::open(&self.path)?;
        let chosen: Vec<usize> = choice.features.iter().copied().chain(choice.label).collect();
        // What lies together in the file is read together: a row of all columns, or a run of one column.
        let held = match self.order {
            Order::C => self.columns,
            Order::Fortran => chosen.len(),
        };
        let at_once = BYTES_AT_ONCE / (held * self.size).max(1);
        let mut bytes = Vec::new();
        for first in rows.clone().step_by(at_once) {
            let count = (rows.end - first).min(at_once as u64) as usize;
            bytes.resize(count * held * self.size, 0);
            self.fill(&mut file, &chosen, first, &mut bytes)?;
            // Where the first row has the value of each chosen column, and how far on the next row has it.
            let (places, step): (Vec<usize>, usize) = match self.order {
                Order::C => (chosen.clone(), self.columns),
                Order::Fortran => ((0..chosen.len()).map(|slot| slot * count).collect(), 1),
            };
            let (features, label) = places.split_at(choice.features.len());
            for row in 0..count {
                let value =
                    |&place: &usize| &bytes[(place + row * step) * self.size..][..self.size];
                let cells = features.iter().map(|place| narrow((self.decode.number)(value(place))));
                let label = label.first().map(|place| match (self.decode.label)(value(place)) {
                    missing if missing == "NaN" => String::new(),
                    label => label,
                });
                sink.row(first + row as u64 + 1, cells, label.as_deref())?;
            }
        }
        Ok(())
    }

    /// Fills `bytes` with rows from `first`: row after row, or the rows of one chosen column after those
    /// of another.
    fn fill(&self, file: &mut File, chosen: &[usize], first: u64, bytes: &mut [u8]) -> Result<()> {
        let mut fill = |value: u64, into: &mut [u8]| {
            file.seek(SeekFrom::Start(self.start + value * self.size as u64))?;
            file.read_exact(into)
        };
        let filled = match self.order {
            Order::C => fill(first * self.columns as u64, bytes),
            Order::Fortran => {
                let runs = bytes.chunks_exact_mut(bytes.len() / chosen.len());
                let mut runs = chosen.iter().zip(runs);
                runs.try_for_each(|(&column, run)| fill(column as u64 * self.rows + first, run))
            }
        };
        filled.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                Error::input(format!("{}: the file is truncated", self.path.display()))
                    .help("write the file again")
            }
            _ => Error::io("reading", &self.path, error),
        })
    }
}

/// Refuses headers that would make npyz overflow: a length beyond the file, brackets nested without
/// end, or a shape whose size is no 63-bit number.
fn check_header(file: &mut impl Read) -> std::io::Result<()> {
    let invalid = |what| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    let mut start = [0; 8];
    file.read_exact(&mut start).map_err(|_| invalid("it does not start with NumPy's mark"))?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(invalid("it does not start with NumPy's mark"));
    }
    let mut size = [0; 4];
    let bytes = if start[6] == 1 { 2 } else { 4 };
    file.read_exact(&mut size[..bytes]).map_err(|_| invalid("the header is truncated"))?;
    let size = u64::from(u32::from_le_bytes(size));
    if size > LONGEST_HEADER {
        return Err(invalid("the header is too long"));
    }
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text)?;
    if (text.len() as u64) < size {
        return Err(invalid("the header is truncated"));
    }
    let text = String::from_utf8_lossy(&text);
    // A plain array's header has one dictionary and one tuple; a structured one's a few more. npyz's
    // parser takes four times as long for each level.
    let (mut depth, mut deepest) = (0, 0);
    for character in text.chars() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > 4 || text.matches(['(', '[', '{']).count() > 32 {
        return Err(invalid("arrays with many fields or lists within lists cannot be read"));
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let product = numbers.map(|digits| digits.parse::<u64>().ok()).try_fold(1_u64, |product, n| {
        product.checked_mul(n?.max(1)).filter(|&product| product <= i64::MAX as u64)
    });
    product.map(|_| ()).ok_or_else(|| invalid("its shape is too large for any file"))
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use npyz::{AutoSerialize, Serialize, WriterBuilder};

    use super::*;
    use crate::data::{Loaded, ReadOptions, read as read_table};

    fn bytes<T: AutoSerialize + Serialize + Copy>(
        values: &[T],
        shape: &[u64],
        order: Order,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .order(order)
            .writer(&mut bytes)
            .begin_nd()
            .unwrap();
        writer.extend(values.iter().copied()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn load(bytes: &[u8], options: &ReadOptions) -> Result<Loaded> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npy");
        std::fs::write(&path, bytes).unwrap();
        read_table(&path, options)
    }

    fn refusal(bytes: &[u8]) -> String {
        let error = load(bytes, &ReadOptions::default()).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Input);
        error.message().split_once("data.npy").unwrap().1.to_owned()
    }

    /// A version 1.0 file with this header, padded as NumPy pads it.
    fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{header:117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        [bytes.as_slice(), header.as_bytes(), data].concat()
    }

    #[test]
    fn every_real_type_and_both_orders_are_read() {
        let expected = array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        macro_rules! check {
            ($($kind:ty),*) => {$(
                let c = [1, 2, 3, 4, 5, 6].map(|value| value as $kind);
                let fortran = [1, 4, 2, 5, 3, 6].map(|value| value as $kind);
                for bytes in [bytes(&c, &[2, 3], Order::C), bytes(&fortran, &[2, 3], Order::Fortran)] {
                    let table = load(&bytes, &ReadOptions::default()).unwrap().table;
                    assert_eq!(table.columns(), ["x0", "x1", "x2"]);
                    assert_eq!(table.rows(), expected);
                }
            )*};
        }
        check!(f32, f64, i8, i16, i32, i64, u8, u16, u32, u64);
        let truth = load(&bytes(&[true, false], &[2], Order::C), &ReadOptions::default());
        assert_eq!(truth.unwrap().table.rows(), array![[1.0], [0.0]]);
    }

    #[test]
    fn arrays_longer_than_what_is_held_are_read_whole() {
        let rows = (BYTES_AT_ONCE + 6) as u64 / 2;
        let value = |row: u64, column: u64| ((3 * row + column) % 251) as u8;
        let c: Vec<u8> = (0..2 * rows).map(|i| value(i / 2, i % 2)).collect();
        let fortran: Vec<u8> = (0..2 * rows).map(|i| value(i % rows, i / rows)).collect();
        for bytes in [bytes(&c, &[rows, 2], Order::C), bytes(&fortran, &[rows, 2], Order::Fortran)]
        {
            let table = load(&bytes, &ReadOptions::default()).unwrap().table;
            assert_eq!(table.len() as u64, rows);
            assert!(table.rows().iter().zip(&c).all(|(&found, &value)| found == f32::from(value)));
        }
    }

    /// The file that NumPy writes for `np.array([[1.5, -2.0]], '>f8').repeat(2, 0) + [[0], [1]]`.
    #[test]
    fn big_endian_numbers_are_read() {
        let data: Vec<u8> =
            [1.5_f64, -2.0, 2.5, -1.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let header = "{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2), }";
        let table = load(&with_header(header, &data), &ReadOptions::default()).unwrap().table;
        assert_eq!(table.rows(), array![[1.5, -2.0], [2.5, -1.0]]);
    }

    #[test]
    fn a_column_can_be_the_label_and_missing_values_are_found() {
        let values = [1.0, 10.0, 2.0, 9.0, f64::NAN, 9.0];
        let options =
            ReadOptions { labels: Some("x1".into()), drop_missing: true, ..ReadOptions::default() };
        let loaded = load(&bytes(&values, &[3, 2], Order::C), &options).unwrap();
        assert_eq!(
            (loaded.dropped, loaded.table.labels().unwrap().names.join("|")),
            (1, "9|10".into())
        );
        let message = refusal(&bytes(&values, &[3, 2], Order::C));
        assert_eq!(message, ", row 3, column 1 (\"x0\"): the value is NaN");
        let message = refusal(&bytes(&[1.0, 1e300], &[2], Order::C));
        assert_eq!(message, ", row 2, column 1 (\"x0\"): 1e300 is too large for a 32-bit float");
    }

    #[test]
    fn arrays_of_another_kind_are_refused() {
        assert_eq!(
            refusal(&bytes(&[1.0; 8], &[2, 2, 2], Order::C)),
            ": the array has 3 axes, not 1 or 2"
        );
        assert_eq!(refusal(&bytes(&[1.0], &[], Order::C)), ": the array has 0 axes, not 1 or 2");
        for (descr, shown) in
            [("'<c16'", "'<c16'"), ("'|O'", "'|O'"), ("'<U3'", "'<U3'"), ("'<f2'", "'<f2'")]
        {
            let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2, 1), }}");
            let message = refusal(&with_header(&header, &[0; 64]));
            assert_eq!(message, format!(": arrays of dtype {shown} cannot be read"));
        }
        let header =
            "{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (2,), }";
        assert!(refusal(&with_header(header, &[0; 16])).contains("cannot be read"));
        assert_eq!(refusal(&bytes::<f32>(&[], &[0, 3], Order::C)), ": the file has no row");
    }

    #[test]
    fn damaged_files_are_errors() {
        assert_eq!(
            refusal(b"PK\x03\x04...."),
            ": not a readable .npy file: it does not start with NumPy's mark"
        );
        let good = bytes(&[1.0, 2.0, 3.0, 4.0], &[2, 2], Order::C);
        for end in 1..good.len() {
            let message = refusal(&good[..end]);
            assert!(
                message.contains("truncated") || message.contains("not a readable"),
                "{message}"
            );
        }
        let shaped = |shape: &str| {
            let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
            refusal(&with_header(&header, &[0; 32]))
        };
        assert!(shaped("(1000000000000, 100)").contains("too few for its shape"));
        for shape in ["(18446744073709551615, 2)", "(0, 9999999999999999, 99999999999)"] {
            assert!(shaped(shape).contains("its shape is too large for any file"));
        }
        for brackets in ["(".repeat(60_000), "{".repeat(13), "[(".repeat(8)] {
            assert!(refusal(&with_header(&brackets, &[])).contains("many fields"));
        }
        assert!(shaped("(-2, 2)").contains("not a readable"));
        let huge = b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}";
        assert!(refusal(huge).contains("the header is too long"));
        // Whatever a single damaged byte does, it does not panic.
        for place in 0..good.len() {
            for flip in [0x01, 0x10, 0xff] {
                let mut damaged = good.clone();
                damaged[place] ^= flip;
                let _ = load(&damaged, &ReadOptions::default());
            }
        }
    }

    #[test]
    fn whole_numbers_are_labels_to_the_last_digit() {
        let values = [1_i64, 1 << 60, 2, (1 << 60) + 1, 3, -7];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.npy");
        std::fs::write(&path, bytes(&values, &[3, 2], Order::C)).unwrap();
        let options = ReadOptions { labels: Some("x1".into()), ..ReadOptions::default() };
        let table = read_table(&path, &options).unwrap().table;
        let names = ["-7", "1152921504606846976", "1152921504606846977"];
        assert_eq!(table.labels().unwrap().names, names);
    }
}
