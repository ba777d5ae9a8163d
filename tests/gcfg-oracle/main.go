// The oracle that tests/it/gcfg_oracle.rs asks: what does gopkg.in/gcfg.v1 make of a file?
//
// On standard input: files, each as a four-byte big-endian length and its bytes. On standard output, for
// each, in the same frame: "error\n", or one line for every value and every name it could not place.
//
// With the argument "letters" it prints the Rust table of the letters and digits this Go knows.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sort"

	"gopkg.in/gcfg.v1"
	"gopkg.in/warnings.v0"
)

// section has one key of every kind whose handling differs.
type section struct {
	Text    string
	Task    string
	Switch  bool
	Count   int
	List    []string
	Flags   []bool
	Numbers []int
}

// config has a section of the plain kind, a second one, and one with names.
type config struct {
	Server  section
	Desk    section
	Mirrors map[string]*section
}

func dump(out *bytes.Buffer, where string, s *section) {
	line := func(key, kind, value string) { fmt.Fprintf(out, "%s.%s %s %x\n", where, key, kind, value) }
	line("text", "string", s.Text)
	line("task", "string", s.Task)
	line("switch", "bool", fmt.Sprint(s.Switch))
	line("count", "int", fmt.Sprint(s.Count))
	for _, v := range s.List {
		line("list", "item", v)
	}
	for _, v := range s.Flags {
		line("flags", "item", fmt.Sprint(v))
	}
	for _, v := range s.Numbers {
		line("numbers", "item", fmt.Sprint(v))
	}
}

// answer reads the file the way servers do, through ReadFileInto.
func answer(path string) (out []byte) {
	defer func() {
		if problem := recover(); problem != nil {
			out = []byte(fmt.Sprintf("panic %v\n", problem))
		}
	}()
	var c config
	err := gcfg.ReadFileInto(&c, path)
	if gcfg.FatalOnly(err) != nil {
		return []byte("error\n")
	}
	var b bytes.Buffer
	dump(&b, "server", &c.Server)
	dump(&b, "desk", &c.Desk)
	names := make([]string, 0, len(c.Mirrors))
	for name := range c.Mirrors {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		dump(&b, fmt.Sprintf("mirrors.%x", name), c.Mirrors[name])
	}
	// A name is reported once a pass, so only the set of them says something.
	seen := map[string]bool{}
	for _, warning := range warnings.WarningsOnly(err) {
		seen[warning.Error()] = true
	}
	unplaced := make([]string, 0, len(seen))
	for text := range seen {
		unplaced = append(unplaced, text)
	}
	sort.Strings(unplaced)
	for _, text := range unplaced {
		fmt.Fprintf(&b, "unplaced %x\n", text)
	}
	return b.Bytes()
}

func serve(in io.Reader, out io.Writer) error {
	dir, err := os.MkdirTemp("", "gcfg-oracle-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "settings.gcfg")
	reader, writer := bufio.NewReader(in), bufio.NewWriter(out)
	defer writer.Flush()
	var size [4]byte
	for {
		if _, err := io.ReadFull(reader, size[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		text := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(reader, text); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return err
		}
		reply := answer(path)
		binary.BigEndian.PutUint32(size[:], uint32(len(reply)))
		writer.Write(size[:])
		if _, err := writer.Write(reply); err != nil {
			return err
		}
	}
}

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "letters" {
		err = letters(os.Stdout)
	} else {
		err = serve(os.Stdin, os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}
