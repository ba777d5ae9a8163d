//! The parser: one pass over the characters, stopping at the first error.

use super::letters::{is_digit, is_letter};
use super::{Assignment, Document, GcfgError, Header, Problem};

const BOM: &[u8] = b"\xEF\xBB\xBF";
const KNOWN_IN_VALUE: &str = "outside quotes only '\\\"' and the end of a line";
const KNOWN_IN_QUOTES: &str = "in quotes only '\\\\', '\\\"', '\\n' and '\\t'";
const KNOWN_IN_NAME: &str = "in the name of a section only '\\\\' and '\\\"'";

/// Parses `text`, read from `file` (used in errors only). One byte order mark at the start is skipped.
///
/// # Errors
/// The first place where the text departs from the grammar.
pub fn parse(text: &[u8], file: &str) -> Result<Document, GcfgError> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let (valid, fault) = match std::str::from_utf8(text) {
        Ok(valid) => (valid, None),
        Err(error) => {
            let (good, _) = text.split_at(error.valid_up_to());
            (
                std::str::from_utf8(good).unwrap_or_default(),
                Some(Problem::NotUtf8),
            )
        }
    };
    let (valid, fault) = match valid.find('\0') {
        Some(at) => (&valid[..at], Some(Problem::Nul)),
        None => (valid, fault),
    };
    if let Some(problem) = fault {
        let mut cursor = Cursor::new(valid);
        while cursor.next().is_some() {}
        return Err(cursor.here().error(file, problem));
    }
    let mut parser = Parser {
        cursor: Cursor::new(valid),
        document: Document::default(),
        section: None,
    };
    parser
        .file()
        .map_err(|(place, problem)| place.error(file, problem))?;
    Ok(parser.document)
}

#[derive(Clone, Copy)]
struct Place {
    line: usize,
    column: usize,
}

impl Place {
    fn error(self, file: &str, problem: Problem) -> GcfgError {
        GcfgError {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            problem,
        }
    }
}

type Parsed<T> = Result<T, (Place, Problem)>;

struct Cursor<'a> {
    rest: std::str::Chars<'a>,
    place: Place,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars(),
            place: Place { line: 1, column: 1 },
        }
    }

    fn here(&self) -> Place {
        self.place
    }

    fn peek(&self) -> Option<char> {
        self.rest.clone().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.place.line += 1;
            self.place.column = 1;
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            taken.push(c);
            self.next();
        }
        taken
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }
}

/// A carriage return is a blank wherever it stands, which is how files with CRLF lines are read.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    document: Document,
    section: Option<(String, Option<String>)>,
}

impl Parser<'_> {
    fn file(&mut self) -> Parsed<()> {
        loop {
            self.cursor.skip_blanks();
            match self.cursor.peek() {
                None => return Ok(()),
                Some('\n') => {
                    self.cursor.next();
                }
                Some(';' | '#') => self.comment(),
                Some('[') => self.header()?,
                Some(c) if is_letter(c) => self.assignment()?,
                Some(c) => return Err((self.cursor.here(), Problem::Unexpected(c))),
            }
        }
    }

    fn comment(&mut self) {
        self.cursor.take_while(|c| c != '\n');
    }

    fn identifier(&mut self) -> Option<String> {
        self.cursor.peek().filter(|c| is_letter(*c))?;
        Some(
            self.cursor
                .take_while(|c| is_letter(c) || is_digit(c) || c == '-'),
        )
    }

    fn header(&mut self) -> Parsed<()> {
        let start = self.cursor.here();
        self.cursor.next();
        self.cursor.skip_blanks();
        let here = self.cursor.here();
        let section = self.identifier().ok_or((here, Problem::ExpectedSection))?;
        self.cursor.skip_blanks();
        let subsection = match self.cursor.peek() {
            Some('"') => Some(self.subsection(&section)?),
            _ => None,
        };
        self.cursor.skip_blanks();
        let here = self.cursor.here();
        if self.cursor.next() != Some(']') {
            return Err((here, Problem::ExpectedBracket(section)));
        }
        self.cursor.skip_blanks();
        match self.cursor.peek() {
            None | Some('\n' | ';' | '#') => {}
            Some(c) => return Err((self.cursor.here(), Problem::TextAfterHeader(c))),
        }
        self.section = Some((section.clone(), subsection.clone()));
        self.document.headers.push(Header {
            section,
            subsection,
            line: start.line,
            column: start.column,
        });
        Ok(())
    }

    /// A name in quotes keeps its carriage returns, unlike a value.
    fn subsection(&mut self, section: &str) -> Parsed<String> {
        let open = self.cursor.here();
        self.cursor.next();
        let mut name = String::new();
        loop {
            match self.cursor.next() {
                None | Some('\n') => return Err((open, Problem::OpenQuote)),
                Some('"') if name.is_empty() => {
                    return Err((open, Problem::EmptySubsection(section.to_owned())));
                }
                Some('"') => return Ok(name),
                Some('\\') => name.push(self.escape(false)?),
                Some(c) => name.push(c),
            }
        }
    }

    fn escape(&mut self, in_value: bool) -> Parsed<char> {
        let place = self.cursor.here();
        match self.cursor.next() {
            Some(c @ ('\\' | '"')) => Ok(c),
            Some('n') if in_value => Ok('\n'),
            Some('t') if in_value => Ok('\t'),
            found => {
                let known = if in_value { KNOWN_IN_QUOTES } else { KNOWN_IN_NAME };
                Err((place, Problem::UnknownEscape { found, known }))
            }
        }
    }

    fn assignment(&mut self) -> Parsed<()> {
        let place = self.cursor.here();
        let key = self.identifier().unwrap_or_default();
        let Some((section, subsection)) = self.section.clone() else {
            return Err((place, Problem::KeyBeforeSection(key)));
        };
        self.cursor.skip_blanks();
        let value = match self.cursor.peek() {
            None | Some('\n' | ';' | '#') => None,
            Some('=') => {
                self.cursor.next();
                self.cursor.skip_blanks();
                Some(self.value()?)
            }
            Some(_) => return Err((self.cursor.here(), Problem::ExpectedAssign(key))),
        };
        self.document.assignments.push(Assignment {
            section,
            subsection,
            key,
            value,
            line: place.line,
            column: place.column,
        });
        Ok(())
    }

    /// Quoted and bare parts may follow each other. Blanks at the end of the line count only in quotes, or
    /// before something that counts; carriage returns never do.
    fn value(&mut self) -> Parsed<String> {
        let mut value = String::new();
        let mut kept = 0;
        let mut quote = None;
        loop {
            match self.cursor.peek() {
                None if quote.is_none() => break,
                Some('\n' | ';' | '#') if quote.is_none() => break,
                _ => {}
            }
            let place = self.cursor.here();
            match (self.cursor.next(), quote) {
                (None | Some('\n'), Some(open)) => return Err((open, Problem::OpenQuote)),
                (Some('\\'), Some(_)) => value.push(self.escape(true)?),
                (Some('\\'), None) => self.continuation(&mut value)?,
                (Some('"'), None) => quote = Some(place),
                (Some('"'), Some(_)) => quote = None,
                (Some(c), None) if is_blank(c) => {
                    if c != '\r' {
                        value.push(c);
                    }
                    continue;
                }
                (Some('\r'), _) | (None, None) => {}
                (Some(c), _) => value.push(c),
            }
            kept = value.len();
        }
        value.truncate(kept);
        Ok(value)
    }

    /// What follows a backslash outside quotes: the end of the line, which is dropped, or a plain quote.
    fn continuation(&mut self, value: &mut String) -> Parsed<()> {
        let place = self.cursor.here();
        if self.cursor.peek() == Some('\r') {
            self.cursor.next();
        }
        match self.cursor.next() {
            Some('\n') => {}
            Some('"') => value.push('"'),
            found => {
                let known = KNOWN_IN_VALUE;
                return Err((place, Problem::UnknownEscape { found, known }));
            }
        }
        Ok(())
    }
}
