package main

import (
	"fmt"
	"io"
	"unicode"
)

// ranges are the runs of characters for which wanted holds.
func ranges(wanted func(rune) bool) [][2]rune {
	var runs [][2]rune
	for c := rune(0x80); c <= unicode.MaxRune; c++ {
		if !wanted(c) {
			continue
		}
		if last := len(runs) - 1; last >= 0 && runs[last][1] == c-1 {
			runs[last][1] = c
		} else {
			runs = append(runs, [2]rune{c, c})
		}
	}
	return runs
}

func table(out io.Writer, name, doc string, runs [][2]rune) {
	fmt.Fprintf(out, "\n/// %s\n#[rustfmt::skip]\nconst %s: [(u32, u32); %d] = [", doc, name, len(runs))
	column := 110
	for _, run := range runs {
		item := fmt.Sprintf("(0x%X, 0x%X),", run[0], run[1])
		if column+1+len(item) > 110 {
			fmt.Fprintf(out, "\n    %s", item)
			column = 4 + len(item)
		} else {
			fmt.Fprintf(out, " %s", item)
			column += 1 + len(item)
		}
	}
	fmt.Fprintf(out, "\n];\n")
}

const head = `//! The letters and digits that names may have, as the Go package counts them: Unicode %s.
//!
//! Printed by %s in tests/gcfg-oracle. The standard library's own
//! classes are wider: they have signs that combine with letters and numbers that are not digits.

/// Whether a name may start with it.
pub(super) fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || !c.is_ascii() && within(c, &LETTERS)
}

/// Whether a name may have it after its first character.
pub(super) fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || !c.is_ascii() && within(c, &DIGITS)
}

fn within(c: char, runs: &[(u32, u32)]) -> bool {
    let c = u32::from(c);
    let after = runs.partition_point(|(first, _)| *first <= c);
    after > 0 && c <= runs[after - 1].1
}
`

// letters prints src/settings/gcfg/letters.rs.
func letters(out io.Writer) error {
	if _, err := fmt.Fprintf(out, head, unicode.Version, "`go run . letters`"); err != nil {
		return err
	}
	table(out, "LETTERS", "Runs of the general category L.", ranges(unicode.IsLetter))
	table(out, "DIGITS", "Runs of the general category Nd.", ranges(unicode.IsDigit))
	return nil
}
