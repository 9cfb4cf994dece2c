//! Here-documents: their delimiters where they open, their bodies after the next newline.

use super::ast::{HereBody, Piece, Word};
use super::cursor::{BodyKind, Fault, HereStyle, Parser, PendingDocument, Tabs};
use super::facts::OpaqueKind;

impl Parser<'_, '_> {
    /// Remembers a here-document; its body follows the next newline.
    pub(super) fn open_document(&mut self, word: &Word, start: usize, tabs: Tabs) -> usize {
        let source = self.since(start).replace("\\\n", "");
        let delimiter = self.delimiter(word, &source);
        let body = match source.contains(['\'', '"', '\\']) {
            true => BodyKind::Literal,
            false => BodyKind::Expanded,
        };
        let index = self.documents.len();
        self.documents.push(HereBody::default());
        self.pending.push(PendingDocument {
            index,
            delimiter,
            style: HereStyle { tabs, body },
        });
        index
    }

    /// The delimiter after quote removal; nothing is expanded in it.
    fn delimiter(&mut self, word: &Word, source: &str) -> String {
        let mut text = String::new();
        for piece in &word.pieces {
            match piece {
                Piece::Text(part) | Piece::Quoted(part) => text.push_str(part),
                Piece::Parameter(_)
                | Piece::Command(..)
                | Piece::Arithmetic(_)
                | Piece::Process(_)
                | Piece::Odd(..) => {
                    self.note(OpaqueKind::HereDocument, source);
                    return source.to_owned();
                }
            }
        }
        text
    }

    /// The bodies of all pending here-documents, at the start of a line.
    pub(super) fn read_documents(&mut self) -> Result<(), Fault> {
        for document in std::mem::take(&mut self.pending) {
            let text = self.body_text(&document);
            self.budget.spend(text.len())?;
            let pieces = match document.style.body {
                BodyKind::Literal => vec![Piece::Quoted(text)],
                BodyKind::Expanded => self.expanded_body(&text)?,
            };
            if let Some(body) = self.documents.get_mut(document.index) {
                body.pieces = pieces;
            }
        }
        Ok(())
    }

    /// Text in which only `$` and back-ticks act, read by a reader of its own.
    pub(super) fn expanded_body(&mut self, text: &str) -> Result<Vec<Piece>, Fault> {
        let documents = std::mem::take(&mut self.documents);
        let (result, documents, notes) = self.deeper(|outer| {
            let depth = outer.depth;
            let mut parser = Parser::new(text, depth, outer.budget)?;
            parser.documents = documents;
            let result = parser.document();
            Ok((result, parser.documents, parser.notes))
        })?;
        self.documents = documents;
        self.notes.extend(notes);
        match result {
            Ok(pieces) => Ok(pieces),
            // Bash reports it when it expands the body, and runs what stands before.
            Err(Fault::Syntax) => {
                self.note(OpaqueKind::HereDocument, text);
                Ok(vec![Piece::Odd(text.to_owned(), OpaqueKind::HereDocument)])
            }
            Err(fault) => Err(fault),
        }
    }

    /// Lines up to the delimiter.
    fn body_text(&mut self, document: &PendingDocument) -> String {
        let mut text = String::new();
        while self.raw(0).is_some() {
            let line = self.line(document.style);
            let line = match document.style.tabs {
                Tabs::Keep => line.as_str(),
                Tabs::Strip => line.trim_start_matches('\t'),
            };
            if line == document.delimiter {
                return text;
            }
            text.push_str(line);
            text.push('\n');
        }
        self.note(OpaqueKind::HereDocument, &document.delimiter);
        text
    }

    /// One line without its newline. Where bodies are expanded, a back-slash joins it with the
    /// next.
    fn line(&mut self, style: HereStyle) -> String {
        let mut line = String::new();
        let mut start = self.pos;
        loop {
            match self.raw(0) {
                None => break,
                Some(b'\n') => {
                    line.push_str(self.since(start));
                    self.pos += 1;
                    return line;
                }
                Some(b'\\') if style.body == BodyKind::Expanded => match self.raw(1) {
                    Some(b'\n') => {
                        line.push_str(self.since(start));
                        self.pos += 2;
                        start = self.pos;
                    }
                    Some(b'\\') => self.pos += 2,
                    _ => self.pos += 1,
                },
                Some(_) => self.pos += 1,
            }
        }
        line.push_str(self.since(start));
        line
    }
}
