//! The type of a file by the end of its name. Pure.

use std::path::Path;

/// Where the end of a name says nothing: the browser saves the file.
const OTHER: &str = "application/octet-stream";

/// The ends of names, in order.
const TYPES: [(&str, &str); 97] = [
    ("7z", "application/x-7z-compressed"),
    ("aac", "audio/aac"),
    ("apng", "image/apng"),
    ("arrow", "application/vnd.apache.arrow.file"),
    ("atom", "application/atom+xml"),
    ("avi", "video/x-msvideo"),
    ("avif", "image/avif"),
    ("bib", "text/x-bibtex"),
    ("bmp", "image/bmp"),
    ("bz2", "application/x-bzip2"),
    ("cjs", "text/javascript"),
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("eot", "application/vnd.ms-fontobject"),
    ("epub", "application/epub+zip"),
    ("flac", "audio/flac"),
    ("geojson", "application/geo+json"),
    ("gif", "image/gif"),
    ("glb", "model/gltf-binary"),
    ("gltf", "model/gltf+json"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("ics", "text/calendar"),
    ("ipynb", "application/x-ipynb+json"),
    ("jl", "text/x-julia"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("jsonld", "application/ld+json"),
    ("log", "text/plain"),
    ("m4a", "audio/mp4"),
    ("m4v", "video/mp4"),
    ("map", "application/json"),
    ("md", "text/markdown"),
    ("mjs", "text/javascript"),
    ("mkv", "video/matroska"),
    ("mov", "video/quicktime"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("ndjson", "application/x-ndjson"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ogg", "audio/ogg"),
    ("ogv", "video/ogg"),
    ("opus", "audio/ogg"),
    ("otf", "font/otf"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("ppt", "application/vnd.ms-powerpoint"),
    (
        "pptx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    ("ps", "application/postscript"),
    ("py", "text/x-python"),
    ("qmd", "text/markdown"),
    ("r", "text/x-r"),
    ("rds", "application/x-rds"),
    ("rmd", "text/markdown"),
    ("rss", "application/rss+xml"),
    ("rtf", "application/rtf"),
    ("sql", "application/sql"),
    ("svg", "image/svg+xml"),
    ("svgz", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tex", "text/x-tex"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("tsv", "text/tab-separated-values"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("vtt", "text/vtt"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("weba", "audio/webm"),
    ("webm", "video/webm"),
    ("webmanifest", "application/manifest+json"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xhtml", "application/xhtml+xml"),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
    ("xz", "application/x-xz"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
    ("zst", "application/zstd"),
];

/// Types that shrink and do not say so by their form.
const SHRINKING: [&str; 11] = [
    "application/javascript",
    "application/jsonl",
    "application/postscript",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-ndjson",
    "application/x-tar",
    "application/yaml",
];

/// What a file is sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileType {
    /// Type and subtype.
    pub(super) essence: &'static str,
    /// The whole is compressed already, and browsers have to be told.
    pub(super) is_svgz: bool,
}

impl FileType {
    /// By the end of a file's name.
    pub(super) fn of(path: &Path) -> Self {
        let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let end = end.to_ascii_lowercase();
        let found = TYPES.binary_search_by_key(&end.as_str(), |(end, _)| *end);
        Self {
            essence: found.map_or(OTHER, |at| TYPES[at].1),
            is_svgz: end == "svgz",
        }
    }

    /// As `Content-Type` has it.
    pub(super) fn header(self) -> String {
        let has_charset = self.essence.starts_with("text/");
        let charset = if has_charset { "; charset=utf-8" } else { "" };
        format!("{}{charset}", self.essence)
    }

    /// Whether it gets much smaller.
    pub(super) fn shrinks(self) -> bool {
        let by_form = self.essence.starts_with("text/")
            || self.essence.ends_with("+json")
            || self.essence.ends_with("+xml")
            || matches!(
                self.essence,
                "application/json" | "application/xml" | "font/ttf" | "font/otf" | "image/bmp"
            )
            || self.essence == "image/vnd.microsoft.icon";
        !self.is_svgz && (by_form || SHRINKING.contains(&self.essence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK7 (L, P)
    #[test]
    fn files_have_the_types_that_browsers_need() {
        assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0), "searched by halves");
        for (name, header, shrinks) in [
            ("index.html", "text/html; charset=utf-8", true),
            ("A.HTML", "text/html; charset=utf-8", true),
            ("m.mjs", "text/javascript; charset=utf-8", true),
            ("main.js", "text/javascript; charset=utf-8", true),
            ("main.js.map", "application/json", true),
            ("webr.wasm", "application/wasm", true),
            ("plot.svg", "image/svg+xml", true),
            ("plot.svgz", "image/svg+xml", false),
            ("font.woff2", "font/woff2", false),
            ("nb.ipynb", "application/x-ipynb+json", true),
            ("data.csv", "text/csv; charset=utf-8", true),
            ("report.pdf", "application/pdf", false),
            ("plot.png", "image/png", false),
            ("video.mp4", "video/mp4", false),
            ("data.tar.gz", "application/gzip", false),
            ("Makefile", OTHER, false),
            ("x.unknown", OTHER, false),
            ("x.", OTHER, false),
        ] {
            let found = FileType::of(Path::new(name));
            assert_eq!(found.header(), header, "{name}");
            assert_eq!(found.shrinks(), shrinks, "{name}");
        }
    }
}
