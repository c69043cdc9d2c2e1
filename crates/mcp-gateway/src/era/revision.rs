//! The revisions, and what each can.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A revision of the protocol. Ordered by date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Revision {
    /// 2024-11-05: HTTP with SSE.
    #[serde(rename = "2024-11-05")]
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches, annotations of tools, completion.
    #[serde(rename = "2025-03-26")]
    V2025_03_26,
    /// 2025-06-18: no batches; structured content, elicitation, resource links, the version header.
    #[serde(rename = "2025-06-18")]
    V2025_06_18,
    /// 2025-11-25: elicitation by URL, sampling with tools, tasks, icons.
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// 2026-07-28: no sessions, no handshake.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
}

/// The two families of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Opened by `initialize`, until 2025-11-25.
    Legacy,
    /// Each request on its own, from 2026-07-28.
    Modern,
}

impl Revision {
    /// Every revision, newest first.
    pub const ALL: [Self; 5] =
        [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26, Self::V2024_11_05];
    /// The revisions that may stand in a request's `_meta`, newest first.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];
    /// The newest.
    pub const LATEST: Self = Self::V2026_07_28;
    /// The newest that is opened by `initialize`.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;
    /// What a request over HTTP is of that says nothing (2025-11-25, transports, protocol version header).
    pub const UNSAID: Self = Self::V2025_03_26;

    /// Its date, as it stands on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of this date; `None` if it is not spoken here.
    #[must_use]
    pub fn of(date: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == date)
    }

    /// What a server of ours answers to a client that proposes this date in `initialize`: the same where it is spoken, else
    /// the newest of that era.
    #[must_use]
    pub fn negotiate(proposed: &str) -> Self {
        Self::of(proposed).filter(|revision| revision.era() == Era::Legacy).unwrap_or(Self::LATEST_LEGACY)
    }

    /// Its family.
    #[must_use]
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Modern,
            _ => Era::Legacy,
        }
    }

    /// May several messages come as an array?
    #[must_use]
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }
    /// Do requests after `initialize` carry `MCP-Protocol-Version`?
    #[must_use]
    pub fn has_version_header(self) -> bool {
        self >= Self::V2025_06_18
    }
    /// `completion/complete`, `audio` content, annotations of tools.
    #[must_use]
    pub fn has_completions(self) -> bool {
        self >= Self::V2025_03_26
    }
    /// `structuredContent` and `outputSchema`.
    #[must_use]
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }
    /// `resource_link` content.
    #[must_use]
    pub fn has_resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }
    /// `elicitation/create`.
    #[must_use]
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }
    /// Elicitation by URL.
    #[must_use]
    pub fn has_url_elicitation(self) -> bool {
        self >= Self::V2025_11_25
    }
    /// Sampling with tools.
    #[must_use]
    pub fn has_sampling_tools(self) -> bool {
        self >= Self::V2025_11_25
    }
    /// Tasks as part of the core protocol (`params.task`, `tasks/result`, …).
    #[must_use]
    pub fn has_core_tasks(self) -> bool {
        self == Self::V2025_11_25
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
