//! The calls of Linux-PAM: the only place that links it, and the only unsafe code outside `offhost::exec`.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{self, NonNull};

use offhost::pam::{Answer, Conversation, Item, Library, Refusal, Step, Style, Transaction};

const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_CONV_ERR: c_int = 19;

const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_RUSER: c_int = 8;

const PAM_DISALLOW_NULL_AUTHTOK: c_int = 0x1;
const PAM_ESTABLISH_CRED: c_int = 0x2;
const PAM_DELETE_CRED: c_int = 0x4;

const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;
/// The most messages of one call, as the library promises.
const PAM_MAX_NUM_MSG: usize = 32;

/// `pam_handle_t`, whose inside is the library's own.
#[repr(C)]
struct Handle {
    _private: [u8; 0],
}

/// `struct pam_message`.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Converse = unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int;

/// `struct pam_conv`.
#[repr(C)]
struct Conv {
    converse: Option<Converse>,
    data: *mut c_void,
}

// SAFETY: the signatures are those of security/pam_appl.h and security/_pam_types.h of Linux-PAM.
#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const Conv,
        handle: *mut *mut Handle,
    ) -> c_int;
    fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut Handle, flags: c_int) -> c_int;
    fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_getenvlist(handle: *mut Handle) -> *mut *mut c_char;
    fn pam_strerror(handle: *mut Handle, code: c_int) -> *const c_char;
}

/// Linux-PAM.
#[derive(Debug)]
pub(crate) struct LinuxPam;

impl Library for LinuxPam {
    fn start(
        &self,
        service: &str,
        user: &str,
        conversation: Conversation,
    ) -> Result<Box<dyn Transaction>, Refusal> {
        let text =
            |what: &str| CString::new(what).map_err(|_| Refusal::unavailable("a name holds a NUL byte"));
        let (service, user) = (text(service)?, text(user)?);
        // The library has it as a bare pointer until the end of the transaction.
        let conversation = Box::into_raw(Box::new(conversation));
        let conv = Conv {
            converse: Some(converse),
            data: conversation.cast(),
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the strings end with NUL and outlive the call, as does `conv`, which the library copies; what its data
        // points at lives until after pam_end.
        let code = unsafe { pam_start(service.as_ptr(), user.as_ptr(), &raw const conv, &raw mut handle) };
        match NonNull::new(handle) {
            Some(handle) if code == PAM_SUCCESS => Ok(Box::new(Open {
                handle,
                conversation,
                last: PAM_SUCCESS,
            })),
            _ => {
                // SAFETY: it was made by Box::into_raw above, and the library, which has failed, has no use for it.
                drop(unsafe { Box::from_raw(conversation) });
                Err(Refusal::of(code, words(ptr::null_mut(), code)))
            }
        }
    }
}

/// A transaction that was begun.
struct Open {
    handle: NonNull<Handle>,
    /// Made by `Box::into_raw`; only the callback refers to it while the library is being called, and only we otherwise.
    conversation: *mut Conversation,
    /// The library's last answer, which its modules are told at the end.
    last: c_int,
}

impl Open {
    fn check(&mut self, code: c_int) -> Result<(), Refusal> {
        self.last = code;
        if code == PAM_SUCCESS {
            return Ok(());
        }
        Err(Refusal::of(code, words(self.handle.as_ptr(), code)))
    }
}

impl Transaction for Open {
    fn tell(&mut self, item: Item, value: &str) -> Result<(), Refusal> {
        let item = match item {
            Item::RemoteUser => PAM_RUSER,
            Item::RemoteHost => PAM_RHOST,
            Item::Terminal => PAM_TTY,
        };
        let value = CString::new(value).map_err(|_| Refusal::unavailable("a value holds a NUL byte"))?;
        // SAFETY: the handle is valid until drop; the library copies the string.
        let code = unsafe { pam_set_item(self.handle.as_ptr(), item, value.as_ptr().cast()) };
        self.check(code)
    }

    fn step(&mut self, step: Step) -> Result<(), Refusal> {
        let handle = self.handle.as_ptr();
        // SAFETY: the handle is valid until drop. Modules may call back into `converse`, whose data nobody else refers to
        // meanwhile.
        let code = unsafe {
            match step {
                Step::Authenticate => pam_authenticate(handle, PAM_DISALLOW_NULL_AUTHTOK),
                Step::Account => pam_acct_mgmt(handle, PAM_DISALLOW_NULL_AUTHTOK),
                Step::EstablishCredentials => pam_setcred(handle, PAM_ESTABLISH_CRED),
                Step::OpenSession => pam_open_session(handle, 0),
                Step::CloseSession => pam_close_session(handle, 0),
                Step::DeleteCredentials => pam_setcred(handle, PAM_DELETE_CRED),
            }
        };
        self.check(code)
    }

    fn user(&self) -> Option<String> {
        let mut value = ptr::null();
        // SAFETY: the handle is valid until drop; `value` is written by the call.
        let code = unsafe { pam_get_item(self.handle.as_ptr(), PAM_USER, &raw mut value) };
        if code != PAM_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: this item is a string that ends with NUL and is the library's until a module sets another, which can not
        // happen before it is copied here.
        let user = unsafe { CStr::from_ptr(value.cast()) };
        user.to_str().ok().map(str::to_owned)
    }

    fn environment(&self) -> Vec<Vec<u8>> {
        let mut variables = Vec::new();
        // SAFETY: the handle is valid until drop; the list is a new one, which ends with a null pointer and is ours.
        let list = unsafe { pam_getenvlist(self.handle.as_ptr()) };
        if list.is_null() {
            return variables;
        }
        for at in 0.. {
            // SAFETY: the end of the list, a null pointer, has not been passed.
            let entry = unsafe { *list.add(at) };
            if entry.is_null() {
                break;
            }
            // SAFETY: each entry is a string that ends with NUL.
            variables.push(unsafe { CStr::from_ptr(entry) }.to_bytes().to_vec());
            // SAFETY: each is an allocation of its own, which was given to us and is not used again.
            unsafe { libc::free(entry.cast()) };
        }
        // SAFETY: the list itself, likewise.
        unsafe { libc::free(list.cast()) };
        variables
    }

    fn forget_password(&mut self) {
        // SAFETY: it lives until drop; no call of the library runs, and nobody else refers to it.
        unsafe { &mut *self.conversation }.forget_password();
    }

    fn said(&self) -> Vec<String> {
        // SAFETY: it lives until drop, and no call of the library runs that could change it.
        unsafe { &*self.conversation }.said().to_vec()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the handle is valid, and not used after this.
        unsafe { pam_end(self.handle.as_ptr(), self.last) };
        // SAFETY: made by Box::into_raw, and the library is done with it. Its password is wiped by its own drop.
        drop(unsafe { Box::from_raw(self.conversation) });
    }
}

/// The library's words for a code.
fn words(handle: *mut Handle, code: c_int) -> String {
    // SAFETY: Linux-PAM does not use the handle; the answer is a constant string or null.
    let text = unsafe { pam_strerror(handle, code) };
    if text.is_null() {
        return format!("PAM error {code}");
    }
    // SAFETY: a string that ends with NUL and is never freed.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Answers messages of modules; see `pam_conv(3)`.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    answers: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 || count > PAM_MAX_NUM_MSG || messages.is_null() || answers.is_null() || data.is_null() {
        return PAM_CONV_ERR;
    }
    // SAFETY: `data` is what was given to pam_start: a conversation that lives as long as the transaction, and that nothing
    // else refers to while the library is being called.
    let conversation = unsafe { &mut *data.cast::<Conversation>() };
    // SAFETY: allocates zeroed memory for so many answers, which the library frees with free(3).
    let made = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    if made.is_null() {
        return PAM_BUF_ERR;
    }
    for at in 0..count {
        // SAFETY: Linux-PAM gives an array of `count` pointers to messages.
        let message = unsafe { (*messages.add(at)).as_ref() };
        let answered = message.is_some_and(|message| {
            // SAFETY: `made` has room for `count` answers.
            let place = unsafe { &mut *made.add(at) };
            answer(conversation, message, place)
        });
        if !answered {
            // SAFETY: `made` has `count` answers, each with a string of ours or none.
            unsafe { discard(made, count) };
            return PAM_CONV_ERR;
        }
    }
    // SAFETY: checked above not to be null; the array is the caller's from here on.
    unsafe { *answers = made };
    PAM_SUCCESS
}

/// Whether the message has an answer, which is then put in its place.
fn answer(conversation: &mut Conversation, message: &Message, place: &mut Response) -> bool {
    let style = match message.style {
        PAM_PROMPT_ECHO_OFF => Style::Hidden,
        PAM_PROMPT_ECHO_ON => Style::Shown,
        _ => Style::Note,
    };
    let text = match message.text.is_null() {
        true => &[],
        // SAFETY: a module's message is a string that ends with NUL and outlives the call.
        false => unsafe { CStr::from_ptr(message.text) }.to_bytes(),
    };
    match conversation.answer(style, text) {
        Answer::Nothing => true,
        Answer::Refused => false,
        Answer::Password(password) => {
            // SAFETY: allocates zeroed memory with room for the password and a NUL; the library wipes and frees it.
            let copy = unsafe { libc::calloc(password.len() + 1, 1) }.cast::<c_char>();
            if copy.is_null() {
                return false;
            }
            // SAFETY: the new memory has that many bytes and does not overlap.
            unsafe { ptr::copy_nonoverlapping(password.as_ptr().cast(), copy, password.len()) };
            place.text = copy;
            true
        }
    }
}

/// Wipes and frees answers that are not given.
///
/// # Safety
/// `answers` are `count` of them, allocated by [`converse`].
unsafe fn discard(answers: *mut Response, count: usize) {
    for at in 0..count {
        // SAFETY: there are `count` of them, and each string ends with NUL and was allocated by `answer`.
        unsafe {
            let text = (*answers.add(at)).text;
            if !text.is_null() {
                libc::explicit_bzero(text.cast(), libc::strlen(text));
                libc::free(text.cast());
            }
        }
    }
    // SAFETY: allocated by `converse`, and not used again.
    unsafe { libc::free(answers.cast()) };
}
