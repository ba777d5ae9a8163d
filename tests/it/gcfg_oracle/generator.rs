//! Files for the oracle: mostly well-formed lines from fragments, then random damage. Same seed, same files.

const SECTIONS: [&str; 14] = [
    "Server",
    "server",
    "SERVER",
    "\u{17f}erver",
    "Desk",
    "De\u{17f}\u{212a}",
    "Mirrors",
    "mirrorS",
    "mirror\u{17f}",
    "Other",
    "a-b",
    "\u{dc}n\u{ef}code9",
    "9lives",
    "A.B",
];
const KEYS: [&str; 23] = [
    "Text",
    "text",
    "TEXT",
    "Task",
    "ta\u{17f}\u{212a}",
    "Switch",
    "switch",
    "Count",
    "List",
    "list",
    "LI\u{17f}T",
    "List",
    "List",
    "Flags",
    "Flag\u{17f}",
    "Numbers",
    "numbers",
    "Unknown",
    "te-xt",
    "\u{4e2d}\u{6587}",
    "x\u{663}",
    "Te_xt",
    "List.x",
];
const STRINGS: [&str; 30] = [
    "",
    "plain",
    "two words",
    "\"quoted\"",
    "\"a ; b # c\"",
    "a ; b",
    "a# b",
    "\"a\" b \"c\"",
    "\"esc \\\\ \\\" \\n \\t\"",
    "\\\"out\\\"",
    "\"\\x\"",
    "a\\b",
    "c:\\dir",
    "\"C:\\\\dir\"",
    "a \\\n  b",
    "a\\\r\n\tb",
    "\\\n",
    "\\\nText = 1",
    "\"open",
    "\"new\nline\"",
    "  lead and trail \t ",
    "\"  kept  \"",
    "http://h/?a=b&c=[d]",
    "a\rb",
    "\"a\rb\"",
    "\u{a0}nbsp\u{a0}",
    "\u{1f600}\u{feff}\u{2028}",
    "\"\"",
    "\"\" \"\"",
    "\\\r\"x",
];
const SWITCHES: [&str; 14] = [
    "true",
    "TRUE",
    "Yes",
    "on",
    "1",
    "false",
    "No",
    "oFF",
    "0",
    "t",
    "",
    "\"true\"",
    "tru e",
    "\u{3c4}rue",
];
const NUMBERS: [&str; 26] = [
    "0",
    "42",
    "-17",
    "+5",
    "007",
    "0x1F",
    "-0x1f",
    "+0x1f",
    "0X1F",
    "0x",
    "0x_1f",
    "0x1__f",
    "0x1f_",
    "1_000",
    "1e3",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "5 MB",
    "",
    "\"\\t7\\n\"",
    "--1",
    "- 1",
    "\u{a0}8\u{2003}",
    "0o17",
    "0x8000000000000000",
];
const BLANKS: [&str; 7] = ["", "", " ", "\t", "  ", " \r", "\u{b}"];
const ENDS: [&str; 9] = [
    "\n",
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\r\n",
    "\n\n",
    " ; note\n",
    " # \"note\r\n",
];
const NAMES: [&str; 11] = [
    "\"name\"",
    "\"Name\"",
    "\"two words\"",
    "\"\"",
    "\"q\\\"\\\\q\"",
    "\"n\\n\"",
    "\"open",
    "\"r\rr\"",
    "name",
    "\"\u{e9}\u{4e2d};#[]\"",
    "\"a\nb\"",
];
const ODD_CHARS: [&str; 24] = [
    "\"", "\"", "\\", "\\", "=", "[", "]", ";", "#", "\n", "\r", "\r\n", " ", "\t", "\0", "\u{feff}", "\\\n",
    "\\\r\n", "\u{212a}", "\u{345}", "\u{16ee}", "\u{663}", "\u{b2}", "\u{fffd}",
];
const ODD_BYTES: [&[u8]; 8] = [
    b"\xff",
    b"\x80",
    b"\xc3",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xef\xbb\xbf",
];

/// SplitMix64, which needs no crate and gives the same files everywhere.
pub(super) struct Generator {
    state: u64,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("small");
        usize::try_from(self.next() % bound).expect("below a usize")
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// One of the first `good` entries, rarely one of all.
    fn mostly<'a>(&mut self, from: &[&'a str], good: usize) -> &'a str {
        let bound = if self.one_in(12) { from.len() } else { good };
        from[self.below(bound)]
    }

    /// One file.
    pub(super) fn file(&mut self) -> Vec<u8> {
        let mut text = String::new();
        if self.one_in(25) {
            text.push('\u{feff}');
        }
        if !self.one_in(30) {
            self.header(&mut text);
        }
        for _ in 0..self.below(9) {
            match self.below(10) {
                0 => self.header(&mut text),
                1 => text.push_str(self.pick(&["; note\n", "# \"note\n", "\n", " \t\n", "\r\n", ";\\\n"])),
                _ => self.assignment(&mut text),
            }
        }
        if self.one_in(4) {
            text.truncate(text.trim_end().len());
        }
        let mut bytes = text.into_bytes();
        for _ in 0..[0, 0, 0, 1, 1, 3][self.below(6)] {
            self.damage(&mut bytes);
        }
        bytes
    }

    fn header(&mut self, text: &mut String) {
        let section = self.mostly(&SECTIONS, 12);
        text.push_str(self.mostly(&BLANKS, 5));
        text.push('[');
        text.push_str(self.mostly(&BLANKS, 2));
        text.push_str(section);
        if section.to_lowercase().starts_with("mirror") && !self.one_in(6) || self.one_in(15) {
            text.push_str(self.mostly(&BLANKS, 5));
            text.push_str(self.mostly(&NAMES, 3));
        }
        text.push_str(self.mostly(&BLANKS, 2));
        if !self.one_in(60) {
            text.push(']');
        }
        text.push_str(self.mostly(&BLANKS, 4));
        let end = self.pick(&ENDS);
        text.push_str(if self.one_in(60) { " x\n" } else { end });
    }

    fn assignment(&mut self, text: &mut String) {
        let key = self.mostly(&KEYS, 21);
        text.push_str(self.mostly(&BLANKS, 5));
        text.push_str(key);
        text.push_str(self.mostly(&BLANKS, 6));
        let folded = key.to_lowercase();
        let blank_chances = if folded.starts_with('l') || folded.starts_with("sw") {
            5
        } else {
            40
        };
        if !self.one_in(blank_chances) {
            if !self.one_in(80) {
                text.push('=');
            }
            text.push_str(self.mostly(&BLANKS, 6));
            let value = match folded.get(..2).unwrap_or_default() {
                _ if self.one_in(40) => self.pick(&STRINGS),
                "sw" | "fl" => self.mostly(&SWITCHES, 9),
                "co" | "nu" => self.mostly(&NUMBERS, 7),
                _ if self.one_in(3) => self.pick(&STRINGS),
                _ => self.pick(&[
                    "plain",
                    "\"quoted; text\"",
                    "",
                    "a \\\n b",
                    "\\\"q\\\"",
                    "x \"y\\t\" z",
                ]),
            };
            text.push_str(value);
            text.push_str(self.mostly(&BLANKS, 6));
        }
        text.push_str(self.pick(&ENDS));
    }

    /// Inserts, removes, repeats, swaps or cuts off something anywhere, also within a character.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(4).min(bytes.len() - at);
        match self.below(8) {
            0..=2 => {
                let odd = self.pick(&ODD_CHARS);
                bytes.splice(at..at, odd.bytes());
            }
            3 => {
                bytes.drain(at..at + length);
            }
            4 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let odd = ODD_BYTES[self.below(ODD_BYTES.len())];
                bytes.splice(at..at, odd.iter().copied());
            }
            6 => {
                let code = u32::try_from(self.below(0x3000)).expect("small");
                let c = char::from_u32(code).unwrap_or('?');
                bytes.splice(at..at, c.to_string().bytes());
            }
            _ if self.one_in(3) => bytes.truncate(at),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(self.below(0x80)).expect("ASCII");
                }
            }
        }
    }
}
