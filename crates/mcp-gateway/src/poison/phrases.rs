//! Phrases that speak to a model behind its user's back. Each is a few words that stand near each other in this order, in a
//! text brought to small letters, one space between words and look-alike letters made plain.

use crate::catalogue::{Severity, is_hidden};

/// One suspicion.
pub(super) struct Phrase {
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    /// Alternatives for each of its words, in order; each within [`NEAR`] characters of the one before.
    words: &'static [&'static [&'static str]],
    pub(super) why: &'static str,
}

/// How far the words of a phrase may be from each other.
const NEAR: usize = 48;

const IGNORE: &[&str] = &["ignore", "disregard", "forget", "override", "bypass"];
const EARLIER: &[&str] =
    &["previous", "prior", "earlier", "above", "preceding", "all other", "system prompt", "your instructions"];
const ORDERS: &[&str] = &["instruction", "prompt", "rule", "guideline", "message", "direction", "tool description"];
const HIDE: &[&str] = &[
    "do not tell",
    "don't tell",
    "do not mention",
    "don't mention",
    "do not inform",
    "don't inform",
    "do not reveal",
    "don't reveal",
    "never tell",
    "never mention",
    "never reveal",
    "without telling",
    "without informing",
    "without mentioning",
    "without notifying",
    "do not disclose",
    "don't disclose",
    "do not show",
    "don't show",
    "hide this from",
    "keep this secret from",
    "not notify the",
];
const USER: &[&str] = &["user", "human", "operator", "anyone", "anybody", "customer", "person"];
const SEND: &[&str] = &[
    "send",
    "forward",
    "upload",
    "post",
    "exfiltrate",
    "transmit",
    "copy",
    "include",
    "pass",
    "append",
    "attach",
    "put",
    "read",
    "bcc",
];
const SECRETS: &[&str] = &[
    "api key",
    "api_key",
    "apikey",
    "password",
    "credential",
    "secret key",
    "private key",
    "access token",
    ".ssh",
    "id_rsa",
    "id_ed25519",
    ".env file",
    ".aws/",
    "mcp.json",
    "session token",
    "cookie",
    "seed phrase",
    "environment variable",
    "/etc/passwd",
    "system prompt",
    "conversation history",
    "chat history",
    "entire conversation",
    "previous messages",
];
const WHERE: &[&str] = &[
    "http://",
    "https://",
    "parameter",
    "argument",
    "field",
    "sidenote",
    "note",
    "to this server",
    "webhook",
    "@",
    "as the",
    "in the",
];

/// Every phrase, the worst first.
pub(super) const ALL: &[Phrase] = &[
    Phrase {
        code: "override_instructions",
        severity: Severity::High,
        words: &[IGNORE, EARLIER, ORDERS],
        why: "it wants the model to forget what it was told",
    },
    Phrase {
        code: "hide_from_user",
        severity: Severity::High,
        words: &[HIDE, USER],
        why: "it wants something kept from the user",
    },
    Phrase {
        code: "exfiltration",
        severity: Severity::High,
        words: &[SEND, SECRETS, WHERE],
        why: "it wants secrets handed over",
    },
    Phrase {
        code: "fake_role",
        severity: Severity::High,
        words: &[&[
            "<important>",
            "<system>",
            "</system>",
            "<|im_start|>",
            "<|system|>",
            "[system]",
            "[inst]",
            "<<sys>>",
            "<secret>",
            "system override",
            "new system prompt",
            "begin system prompt",
            "<|start_header_id|>",
            "###instruction",
        ]],
        why: "it plays a role that tool descriptions do not have",
    },
    Phrase {
        code: "jailbreak",
        severity: Severity::High,
        words: &[
            &["you are now", "act as if you", "pretend that you", "developer mode", "jailbreak"],
            &[
                "unrestricted",
                "no restrictions",
                "without restrictions",
                "dan",
                "jailbroken",
                "no rules",
                "enabled",
                "free of",
            ],
        ],
        why: "it wants another model than the user asked",
    },
    Phrase {
        code: "precondition",
        severity: Severity::Medium,
        words: &[
            &[
                "before using",
                "before calling",
                "before you use",
                "before any other",
                "before every",
                "prior to using",
                "prior to calling",
            ],
            &["any tool", "any other tool", "other tools", "this tool", "tool", "anything else"],
            &["must", "always", "first", "read", "call", "required"],
        ],
        why: "it makes itself a condition of other work",
    },
    Phrase {
        code: "hidden_markup",
        severity: Severity::Medium,
        words: &[&[
            "<!--",
            "display:none",
            "display: none",
            "font-size:0",
            "font-size: 0",
            "visibility:hidden",
            "color:white",
            "<script",
            "<iframe",
            "javascript:",
            "![](http",
            "onerror=",
            "<img src",
        ]],
        why: "it is written so that people do not see it",
    },
    Phrase {
        code: "no_confirmation",
        severity: Severity::Medium,
        words: &[
            &[
                "without asking",
                "without confirmation",
                "without approval",
                "do not ask",
                "don't ask",
                "skip confirmation",
                "no confirmation",
            ],
            &["user", "permission", "confirm", "human", "needed", "approval", "them"],
        ],
        why: "it wants to act without the user",
    },
];

impl Phrase {
    /// The words as they stand in a plain text.
    pub(super) fn find(&self, plain: &str) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        first.iter().find_map(|word| {
            plain.match_indices(word).find_map(|(at, _)| {
                let end = follow(plain, at + word.len(), rest)?;
                plain.get(at..end).map(str::to_owned)
            })
        })
    }
}

/// Where the last of the words ends, if each stands near the one before.
fn follow(plain: &str, from: usize, words: &[&[&str]]) -> Option<usize> {
    let Some((first, rest)) = words.split_first() else { return Some(from) };
    let longest = first.iter().map(|word| word.len()).max().unwrap_or(0);
    let until = (from..=(from + NEAR + longest).min(plain.len())).rev().find(|end| plain.is_char_boundary(*end))?;
    let window = plain.get(from..until)?;
    first.iter().find_map(|word| {
        let at = window.find(word)?;
        follow(plain, from + at + word.len(), rest)
    })
}

/// Words that say when to use a tool.
const DIRECTING: &[&str] = &[
    "instead of",
    "rather than",
    "do not use",
    "don't use",
    "never use",
    "always use",
    "must be called",
    "must call",
    "call this first",
    "before using",
    "before calling",
    "after calling",
    "after using",
    "when calling",
    "whenever",
    "replaces",
    "supersedes",
    "deprecated",
    "must first",
    "must always",
    "required before",
    "change the",
    "set the recipient",
];

/// Does a plain text tell the model when to use a tool?
pub(super) fn directs(plain: &str) -> bool {
    DIRECTING.iter().any(|words| plain.contains(words))
}

/// A text as phrases are looked for in it: small letters, single spaces, nothing invisible, look-alikes made plain, and marks
/// that only part letters taken out of spaced-out words.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for each in text.chars().filter(|each| !is_hidden(*each)) {
        let each = look(each);
        if each.is_whitespace() || each == '*' || each == '`' {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.extend(each.to_lowercase());
        }
    }
    out
}

/// The letter a character looks like.
fn look(character: char) -> char {
    match character {
        'а' | 'А' => 'a',
        'е' | 'Е' => 'e',
        'о' | 'О' | 'ο' => 'o',
        'р' | 'Р' => 'p',
        'с' | 'С' => 'c',
        'у' | 'У' => 'y',
        'х' | 'Х' => 'x',
        'і' | 'І' => 'i',
        '’' | '‘' | 'ʼ' => '\'',
        // Full-width forms and the mathematical alphabets' plainest.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        '\u{1d400}'..='\u{1d419}' => char::from_u32(u32::from(character) - 0x1d400 + 0x41).unwrap_or(character),
        '\u{1d41a}'..='\u{1d433}' => char::from_u32(u32::from(character) - 0x1d41a + 0x61).unwrap_or(character),
        other => other,
    }
}
