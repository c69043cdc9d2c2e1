//! The signals. Each is tried where one of its anchors stands and must begin there; anchors and patterns are in any case.
//!
//! The phrases come from how injections are described in public and from looking at samples of the CyberSecEval set, so
//! figures on that set flatter them. The weights are round numbers, not fitted ones.

/// The families, as findings name them.
pub(super) const FAMILIES: [&str; 8] =
    ["override", "role", "disclosure", "marker", "hidden", "authority", "pretext", "disguise"];

/// Signals of one family do not add up: saying it twice makes it no worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// Takes instructions away.
    Override,
    /// Gives the model another role, or none.
    Role,
    /// Asks for what is not to be told: the prompt, a password.
    Disclosure,
    /// Looks like the frame of a conversation.
    Marker,
    /// Is not seen by people.
    Hidden,
    /// Claims to be somebody who may.
    Authority,
    /// Gives a reason why it would be all right.
    Pretext,
    /// Asks for the answer in a form that filters do not read.
    Disguise,
}

/// One signal.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) family: Family,
    /// What it adds to the sum, once.
    pub(super) weight: f64,
    pub(super) anchors: &'static [&'static str],
    pub(super) pattern: &'static str,
}

const fn signal(family: Family, weight: f64, anchors: &'static [&'static str], pattern: &'static str) -> Signal {
    Signal { family, weight, anchors, pattern }
}

/// All of them.
pub(super) const SIGNALS: &[Signal] = &[
    // Taking instructions away.
    signal(
        Family::Override,
        0.6,
        &["ignor", "disregard", "forget", "overlook", "neglect", "override", "bypass", "do not follow", "don't follow"],
        r"(?-u:\b)(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overlook|neglect|override|bypass|do not follow|don't follow)[\s,:]+(?:[a-z']+[\s,:]+){0,5}?(?:(?:previous|prior|above|earlier|preceding|former|initial|original|system|your|my|these|those|any|all|the)[\s,:]+){1,4}(?:[a-z]+[\s,:]+){0,2}?(?:instruct|prompt|rule|direct(?:ion|ive)|guideline|command|constraint|restrict|programming|safety|training|orders)",
    ),
    signal(
        Family::Override,
        0.6,
        &["ignor", "disregard", "forget"],
        r"(?-u:\b)(?:ignore|disregard|forget)[\s,:]+(?:about[\s]+)?(?:all|everything|anything|what|whatever|(?:all[\s]+)?(?:the|of the)[\s]+(?:above|previous|text above))[\s,:]+(?:(?:of|that|which|the|you|i|we|was|were|have|been|said|told|above|before|previously|earlier)[\s,:]+){0,5}(?:above|before|previous|earlier|said|told|learned|taught|know)",
    ),
    signal(
        Family::Override,
        0.4,
        &["ignore", "disregard", "forget"],
        r"(?-u:\b)(?:ignore|disregard|forget)[\s]+(?:all[\s]+)?(?:the[\s]+)?(?:above|previous|preceding|about that)(?-u:\b)",
    ),
    signal(
        Family::Override,
        0.6,
        &[
            "ignor",
            "olvid",
            "oubli",
            "vergiss",
            "vergessen",
            "missacht",
            "desconsider",
            "dimentica",
            "esquece",
            "abaikan",
            "lupakan",
            "negeer",
            "negliger",
            "négliger",
        ],
        r"(?:ignor|olvid|oubli|vergiss|vergessen|missacht|desconsider|dimentica|esquece|abaikan|lupakan|negeer|n[ée]gliger)[^.!?\n]{0,40}?(?:instruc|instrução|instruções|istruzion|anweisung|instruksi|petunjuk|consigne|règle|reglas|regel|regole|regras|indicaciones|directiv|direttiv|aanwijzing)",
    ),
    signal(
        Family::Override,
        0.6,
        &[
            "忽略",
            "无视",
            "忽視",
            "無視",
            "忘记",
            "忘れ",
            "무시",
            "гнорируй",
            "абудь",
            "نتجاهل",
            "تجاهل",
            "अनदेखा",
            "नज़रअंदाज",
            "भूल",
            "उपेक्षा",
            "উপেক্ষা",
            "bỏ qua",
            "phớt lờ",
            "yok say",
            "görmezden",
            "เพิกเฉย",
            "ละเว้น",
            "ไม่สนใจ",
            "ลืม",
        ],
        r"(?:忽略|无视|忽視|無視|忘记|忘れ|무시|гнорируй|абудь|تجاهل|अनदेखा|नज़रअंदाज|भूल|उपेक्षा|উপেক্ষা|bỏ qua|phớt lờ|yok say|görmezden|เพิกเฉย|ละเว้น|ไม่สนใจ|ลืม)[^.!?。\n]{0,30}?(?:指令|指示|说明|提示|规则|命令|지시|지침|инструкц|указани|правил|التعليمات|تعليمات|निर्देश|নির্দেশ|hướng dẫn|chỉ dẫn|chỉ thị|quy tắc|talimat|kural|คำสั่ง|คําสั่ง|คำแนะนำ|คําแนะนํา|กฎ)",
    ),
    signal(
        Family::Override,
        0.6,
        &["指令", "指示", "说明", "지시", "지침", "निर्देश", "নির্দেশ", "talimat", "инструкц", "คำสั่ง"],
        r"(?:指令|指示|说明|지시|지침|निर्देश|নির্দেশ|talimat|инструкц|คำสั่ง)[^.!?。\n]{0,30}?(?:忽略|无视|無視|忘れ|무시|अनदेखा|नज़रअंदाज|भूल|उपेक्षा|উপেক্ষা|yok say|görmezden|unut|гнорируй|абудь|เพิกเฉย)",
    ),
    signal(
        Family::Override,
        0.5,
        &[
            "new instruction",
            "updated instruction",
            "real instruction",
            "your new task",
            "instead, do",
            "stop following",
        ],
        r"(?:(?:new|updated|real) instructions?[\s]*(?::|are|follow)|your new task|instead, do|stop following)",
    ),
    // Another role.
    signal(
        Family::Role,
        0.3,
        &[
            "you are now",
            "you're now",
            "from now on",
            "you will now act",
            "act as",
            "pretend to be",
            "pretend that you",
            "pretend you",
            "role-play",
            "roleplay",
            "immerse yourself",
            "take on the role",
            "simulate a",
        ],
        r"(?-u:\b)(?:you are now|you're now|from now on,? (?:you|your|act|respond|answer)|you will now act|act as (?:if|an? (?:ai|unrestricted|evil|hacker))|pretend (?:to be|that you|you)|role-?play(?:ing)? as|immerse yourself|take on the role|simulate an? (?:ai|evil|unrestricted))",
    ),
    signal(
        Family::Role,
        0.6,
        &[
            "do anything now",
            "developer mode",
            "god mode",
            "jailbr",
            "dan mode",
            "stay in character",
            "stay a dan",
            "evil confidant",
            "smartgpt",
            "anti-gpt",
        ],
        r"(?:do anything now|(?:developer|god|dan) mode (?:enabled|activated|on|output)|jailbr(?:oken|eak (?:mode|prompt))|stay (?:in character|a dan)|evil confidant|smartgpt|anti-gpt)",
    ),
    signal(
        Family::Role,
        0.4,
        &[
            "without any restriction",
            "no restriction",
            "no limitation",
            "no ethical",
            "without ethical",
            "no moral",
            "no filter",
            "unfiltered",
            "uncensored",
            "unrestricted",
            "broken free",
            "never refuse",
            "cannot refuse",
            "can't refuse",
        ],
        r"(?:(?:without any|no) (?:restriction|limitation|filter)s?|(?:no|without) (?:ethical|moral)|unfiltered|uncensored|unrestricted (?:ai|model|assistant)|broken free|(?:never|cannot|can't) refuse)",
    ),
    // Asking for what is not to be told.
    signal(
        Family::Disclosure,
        0.5,
        &[
            "reveal",
            "show",
            "print",
            "repeat",
            "output",
            "tell me",
            "what is",
            "what's",
            "what are",
            "what were",
            "display",
            "give me",
            "share",
            "write down",
            "leak",
            "disclose",
            "summarize",
            "confirm",
            "state your",
        ],
        r"(?-u:\b)(?:reveal|show|print|repeat|output|tell me|what(?:'s| is| are| were)|display|give me|share|write down|leak|disclose|summarize|confirm|state)[\s]+(?:[a-z']+[\s]+){0,3}?(?:(?:your|the|its|our|this)[\s]+)?(?:(?:system|initial|hidden|original|secret|developer|pre)[\s-]?prompt|your[\s]+(?:(?:initial|original|exact|full|previous|system|hidden)[\s]+){0,2}(?:instructions|prompt|guidelines|rules|system message|password|pass-?phrase|secret(?:[\s]+(?:key|code|phrase))?|credentials|api key)|(?:secret|confidential)[\s]+(?:key|code|phrase|string|password|passphrase)|pass-?phrase)",
    ),
    signal(
        Family::Disclosure,
        0.5,
        &[
            "repeat the words above",
            "repeat everything above",
            "repeat the text above",
            "output everything above",
            "print everything above",
            "starting with \"you are",
            "starting with 'you are",
            "beginning with \"you are",
        ],
        r"(?:(?:repeat|output|print) (?:the words|everything|the text) above|(?:starting|beginning) with (?:the phrase )?[\x22']you are)",
    ),
    signal(
        Family::Disclosure,
        0.4,
        &["your password", "the password", "the passphrase", "passcode", "secret key", "secret code"],
        r"(?:your password|the passphrase|(?:system|secret|the) passcode|secret (?:key|code)|the password (?:is|for|to) (?:our|the|your|this) (?:system|database|account))",
    ),
    // Frames of a conversation.
    signal(
        Family::Marker,
        0.6,
        &[
            "<|im_start|>",
            "<|im_end|>",
            "<|system|>",
            "<|endoftext|>",
            "<|start_header_id|>",
            "<<sys>>",
            "[inst]",
            "[/inst]",
            "[system]",
            "<system>",
            "</system>",
            "begin_of_text",
        ],
        r"(?:<\|(?:im_start|im_end|system|endoftext|start_header_id)\|>|<<sys>>|\[/?inst\]|\[system\]|</?system>|begin_of_text)",
    ),
    signal(
        Family::Marker,
        0.4,
        &[
            "### system",
            "### instruction",
            "###instruction",
            "###system",
            "system:",
            "end of prompt",
            "end of context",
            "end of document",
            "end of instructions",
            "important instructions",
            "important message",
        ],
        r"(?:### ?(?:system|instructions?)(?:\s|:)|system: ?you|end of (?:prompt|context|document|instructions)(?-u:\b)|important (?:instructions|message) (?:to|for|from) (?:the|you|me))",
    ),
    // What people do not see: tag characters (a flag has six), long runs of zero width, changes of direction.
    signal(
        Family::Hidden,
        0.7,
        &[
            "\u{E0020}",
            "\u{E0049}",
            "\u{E0041}",
            "\u{E0053}",
            "\u{E0054}",
            "\u{E0059}",
            "\u{E0061}",
            "\u{E0066}",
            "\u{E0069}",
            "\u{E0070}",
            "\u{E0073}",
            "\u{E0074}",
            "\u{E0079}",
            "\u{E0001}",
        ],
        r"[\u{E0000}-\u{E007F}]{8,40}",
    ),
    signal(
        Family::Hidden,
        0.6,
        &[
            "\u{200B}\u{200B}",
            "\u{200B}\u{200C}",
            "\u{200C}\u{200B}",
            "\u{200C}\u{200C}",
            "\u{200C}\u{200D}",
            "\u{200D}\u{200C}",
            "\u{2060}\u{2060}",
            "\u{FEFF}\u{FEFF}",
            "\u{200B}\u{200D}",
            "\u{200D}\u{200B}",
        ],
        r"[\u{200B}-\u{200F}\u{2060}-\u{2064}\u{FEFF}]{6,64}",
    ),
    signal(Family::Hidden, 0.3, &["\u{202D}", "\u{202E}"], r"[\u{202D}\u{202E}]"),
    // Somebody who may.
    signal(
        Family::Authority,
        0.3,
        &[
            "i am your",
            "i'm your",
            "i am the",
            "i'm the",
            "i am god",
            "i am a god",
            "i'm actually",
            "i am actually",
            "as your developer",
            "as the developer",
            "as your creator",
            "this is your developer",
        ],
        r"(?-u:\b)(?:i(?:'m| am) (?:actually )?(?:your|the|a|an) (?:[a-z]+ ){0,2}?(?:developer|creator|admin(?:istrator)?|owner|god|president|ceo|boss|engineer)|i am (?:a )?god|as (?:your|the) (?:developer|creator|admin)|this is your developer)",
    ),
    signal(
        Family::Authority,
        0.4,
        &[
            "security override",
            "system override",
            "override mode",
            "maintenance mode",
            "debug mode",
            "admin mode",
            "sudo mode",
            "law enforcement mode",
            "system mode",
            "override code",
        ],
        r"(?:(?:security|system) override|(?:override|maintenance|debug|admin|sudo|law enforcement|system) mode|override code)",
    ),
    // Reasons.
    signal(
        Family::Pretext,
        0.2,
        &[
            "hypothetical",
            "imagine",
            "suppose we",
            "let's pretend",
            "let's play",
            "in a world where",
            "for educational purposes",
            "purely educational",
            "for testing purposes",
            "for a hypothetical",
            "in a fictional",
            "theoretically",
            "you must answer",
            "you must comply",
        ],
        r"(?-u:\b)(?:hypothetical(?:ly)?|imagine (?:we|you|that|a world)|suppose we|let's (?:pretend|play a)|in a (?:world where|fictional)|(?:for|purely) (?:educational|testing) ?(?:purposes)?|theoretically|you must (?:answer|comply))",
    ),
    // Forms that filters do not read.
    signal(
        Family::Disguise,
        0.2,
        &[
            "base64",
            "rot13",
            "morse code",
            "pig latin",
            "in reverse",
            "letter by letter",
            "first letter of",
            "in hex",
            "leetspeak",
            "emojis only",
        ],
        r"(?-u:\b)(?:base64|rot13|morse code|pig latin|in reverse(?: order)?|letter by letter|first letter of|in hex|leetspeak|emojis only)",
    ),
];
