//! The text of a receipt: a head, then a whole C2SP tlog-proof for each record,
//! so that each can be cut out and checked by other tools, and an end line, so
//! that a receipt cut short is known for one.
//!
//! ```text
//! baogong-receipt/v1
//! records 1
//!
//! c2sp.org/tlog-proof@v1
//! extra <record in base64>
//! index 17
//! <hash in base64>
//!
//! baogong/order/0
//! 1127
//! <root in base64>
//!
//! — baogong/order/0 <signature in base64>
//!
//! end baogong-receipt/v1
//! ```

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tlog_tiles::Hash;

use crate::proofs::{InclusionProof, PROOF_HASHES_MAX};
use crate::receipt::{Entry, Receipt, ReceiptError};

pub(crate) const MAGIC: &str = "baogong-receipt/v1";
const END: &str = "end baogong-receipt/v1";
const PROOF_MAGIC: &str = "c2sp.org/tlog-proof@v1";

pub(crate) fn write(receipt: &Receipt, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{MAGIC}\nrecords {}\n", receipt.entries.len())?;
    for entry in &receipt.entries {
        let record = BASE64_STANDARD.encode(&entry.record);
        writeln!(f, "{PROOF_MAGIC}\nextra {record}\nindex {}", entry.index)?;
        for hash in &entry.proof.0 {
            writeln!(f, "{hash}")?;
        }
        writeln!(f, "\n{}", entry.checkpoint)?;
    }
    writeln!(f, "{END}")
}

pub(crate) fn read(text: &str) -> Result<Receipt, ReceiptError> {
    // A text cut off within its first line is a receipt cut off.
    if text.len() <= MAGIC.len() && !text.is_empty() && MAGIC.starts_with(text) {
        let (line, record) = (0, None);
        return Err(ReceiptError::Truncated { line, record });
    }
    let mut lines = Lines {
        rest: text,
        line: 0,
        record: None,
    };
    if lines.next().ok() != Some(MAGIC) {
        return Err(ReceiptError::NotAReceipt);
    }
    let records = lines.number("records ", "`records <number>` is expected")?;
    lines.exactly("", "an empty line is expected")?;
    let mut entries = Vec::new();
    for record in 1..=records {
        lines.record = usize::try_from(record).ok();
        entries.push(lines.entry()?);
    }
    lines.record = None;
    lines.exactly(END, "the end line is expected; `records` may say too few")?;
    if !lines.rest.is_empty() {
        return Err(lines.malformed("nothing may follow the end line"));
    }
    Ok(Receipt { entries })
}

struct Lines<'t> {
    rest: &'t str,
    /// Lines read so far.
    line: usize,
    record: Option<usize>,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Result<&'t str, ReceiptError> {
        let Some((line, rest)) = self.rest.split_once('\n') else {
            let (line, record) = (self.line, self.record);
            return Err(ReceiptError::Truncated { line, record });
        };
        self.rest = rest;
        self.line += 1;
        Ok(line)
    }

    fn malformed(&self, what: &'static str) -> ReceiptError {
        let (line, record) = (self.line, self.record);
        ReceiptError::Malformed { line, record, what }
    }

    fn exactly(&mut self, expected: &str, what: &'static str) -> Result<(), ReceiptError> {
        let line = self.next()?;
        if line == expected {
            Ok(())
        } else {
            Err(self.malformed(what))
        }
    }

    fn number(&mut self, prefix: &str, what: &'static str) -> Result<u64, ReceiptError> {
        let text = self.next()?.strip_prefix(prefix).unwrap_or_default();
        match text.parse::<u64>() {
            // No plus sign, no leading zeros: one number has one spelling.
            Ok(number) if number.to_string() == text => Ok(number),
            _ => Err(self.malformed(what)),
        }
    }

    fn entry(&mut self) -> Result<Entry, ReceiptError> {
        self.exactly(PROOF_MAGIC, "`c2sp.org/tlog-proof@v1` is expected")?;
        let record = self.next()?.strip_prefix("extra ");
        let record = record.and_then(|base64| BASE64_STANDARD.decode(base64).ok());
        let record = record.ok_or_else(|| self.malformed("`extra <record>` is expected"))?;
        let index = self.number("index ", "`index <number>` is expected")?;
        let mut hashes = Vec::new();
        loop {
            let line = self.next()?;
            if line.is_empty() {
                break;
            }
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(self.malformed("the proof has too many hashes"));
            }
            let hash = Hash::parse_hash(line);
            hashes.push(hash.map_err(|_| self.malformed("a hash is expected"))?);
        }
        let (start, line) = (self.rest, self.line + 1);
        // Head of the checkpoint and its signatures, each up to an empty line.
        while !self.next()?.is_empty() {}
        let mut end = self.rest;
        while !self.next()?.is_empty() {
            end = self.rest;
        }
        let note = &start[..start.len() - end.len()];
        let checkpoint = note.parse().map_err(|source| ReceiptError::Checkpoint {
            line,
            record: self.record.unwrap_or_default(),
            source,
        })?;
        Ok(Entry {
            record,
            index,
            proof: InclusionProof(hashes),
            checkpoint,
        })
    }
}
