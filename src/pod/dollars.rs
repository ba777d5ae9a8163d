//! Text that Kubernetes takes as it is.

/// Doubles every `$`. Kubernetes replaces `$(NAME)` in command lines and in the values of variables, reads `$$` as one
/// `$`, and has mangled what follows a single one; of doubled ones nothing but the `$` itself comes back (OH6).
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}
