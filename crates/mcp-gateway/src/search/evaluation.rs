//! How good the search is: questions as people put them to an agent, over tools as servers describe them, and how often the
//! right one comes first or among five. The figures stand in docs/mcp-catalogue.md; they may only get better.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::Index;
use crate::catalogue::{Entry, Kind, Origin};
use crate::wire::Raw;

/// `server.tool`, its description, its parameters.
const TOOLS: &[(&str, &str, &str)] = &[
    (
        "github.search_code",
        "Search for code across repositories using GitHub's code search syntax",
        "query sort per_page",
    ),
    ("github.search_issues", "Search for issues in GitHub repositories", "query owner repo"),
    ("github.create_issue", "Open a new issue in a repository", "owner repo title body labels assignees"),
    ("github.list_issues", "List issues in a repository with filters by state and label", "owner repo state labels"),
    ("github.create_pull_request", "Create a new pull request from a branch", "owner repo head base title body draft"),
    ("github.merge_pull_request", "Merge a pull request", "owner repo pull_number merge_method"),
    ("github.get_pull_request_files", "Get the files changed in a pull request", "owner repo pull_number"),
    ("github.create_branch", "Create a new branch from a commit", "owner repo branch from_branch"),
    ("github.get_file_contents", "Get the contents of a file or directory of a repository", "owner repo path ref"),
    ("github.push_files", "Push several files in a single commit", "owner repo branch files message"),
    ("github.fork_repository", "Fork a repository to your account or organization", "owner repo organization"),
    ("git.git_status", "Shows the working tree status", "repo_path"),
    (
        "git.git_diff_unstaged",
        "Shows changes in the working directory that are not yet staged",
        "repo_path context_lines",
    ),
    ("git.git_commit", "Records changes to the repository", "repo_path message"),
    ("git.git_log", "Shows the commit logs", "repo_path max_count start_timestamp"),
    ("git.git_checkout", "Switches branches", "repo_path branch_name"),
    ("fs.read_text_file", "Read the complete contents of a file from the file system as text", "path head tail"),
    ("fs.write_file", "Create a new file or completely overwrite an existing file with new content", "path content"),
    ("fs.edit_file", "Make line-based edits to a text file and return a diff", "path edits dryRun"),
    ("fs.list_directory", "Get a listing of all files and directories in a path", "path"),
    ("fs.move_file", "Move or rename files and directories", "source destination"),
    ("fs.search_files", "Recursively search for files matching a pattern", "path pattern excludePatterns"),
    ("fs.create_directory", "Create a new directory or ensure it exists", "path"),
    ("fs.get_file_info", "Retrieve metadata about a file: size, creation time, permissions", "path"),
    ("time.get_current_time", "Get current time in a specific timezone", "timezone"),
    ("time.convert_time", "Convert time between timezones", "source_timezone time target_timezone"),
    ("slack.slack_post_message", "Post a new message to a Slack channel", "channel_id text"),
    ("slack.slack_reply_to_thread", "Reply to a message thread in Slack", "channel_id thread_ts text"),
    ("slack.slack_add_reaction", "Add an emoji reaction to a message", "channel_id timestamp reaction"),
    ("slack.slack_get_channel_history", "Get recent messages from a channel", "channel_id limit"),
    ("slack.slack_get_users", "List the users of the workspace with their profiles", "cursor limit"),
    ("mail.send_email", "Send an e-mail to one or more recipients", "to cc subject body attachments"),
    ("mail.search_mail", "Search the mailbox", "query folder since"),
    ("mail.create_draft", "Save an e-mail as a draft without sending it", "to subject body"),
    (
        "cal.create_event",
        "Put an appointment into the calendar and invite attendees",
        "title start end attendees location",
    ),
    ("cal.list_events", "List appointments between two moments", "from until"),
    ("cal.find_free_slot", "Find a time at which all attendees are free", "attendees duration from until"),
    ("cal.delete_event", "Cancel an appointment", "event_id notify"),
    ("db.query", "Run a read-only SQL query", "sql"),
    ("db.list_tables", "List the tables of the database", "schema"),
    ("db.describe_table", "Show the columns and types of a table", "table"),
    ("db.execute", "Run an SQL statement that changes data", "sql"),
    ("web.fetch", "Fetch a URL from the internet and return its content as markdown", "url max_length raw"),
    ("web.brave_web_search", "Search the web for pages, news and articles", "query count offset"),
    ("browser.navigate", "Open a page in the browser", "url"),
    ("browser.click", "Click on an element of the page", "selector"),
    ("browser.take_screenshot", "Take a picture of the page as it is shown", "name width height"),
    ("browser.fill_form", "Fill the fields of a form", "fields"),
    ("maps.geocode", "Convert an address into coordinates", "address"),
    ("maps.directions", "Get directions between two places", "origin destination mode"),
    ("maps.search_places", "Search for restaurants, shops and other places nearby", "query location radius"),
    ("weather.get_forecast", "Get the weather forecast for a place", "latitude longitude days"),
    ("weather.get_alerts", "Get severe weather alerts of a state", "state"),
    ("stripe.create_refund", "Refund a payment, in full or in part", "payment_intent amount reason"),
    ("stripe.list_invoices", "List invoices of a customer", "customer limit status"),
    ("stripe.create_customer", "Create a customer", "name email"),
    ("stripe.cancel_subscription", "Cancel a subscription at the end of its period", "subscription"),
    ("k8s.pods_list", "List pods in a namespace", "namespace labelSelector"),
    ("k8s.pods_log", "Get the logs of a pod", "namespace name tail"),
    ("k8s.scale_deployment", "Change the number of replicas of a deployment", "namespace name replicas"),
    ("k8s.resources_apply", "Create or update a resource from a YAML manifest", "resource"),
    ("notion.create_page", "Create a page in a workspace", "parent title content"),
    ("notion.search_pages", "Search pages and databases by title", "query filter"),
    ("memory.create_entities", "Create entities in the knowledge graph", "entities"),
    ("memory.search_nodes", "Search the knowledge graph for nodes", "query"),
    ("sentry.list_errors", "List unresolved errors of a project, the most frequent first", "project since"),
    ("sentry.get_stacktrace", "Get the stack trace of an error", "issue_id"),
    ("jira.transition_issue", "Move a ticket to another status of its workflow", "key transition"),
    ("jira.add_comment", "Write a comment on a ticket", "key body"),
    ("jira.assign_issue", "Assign a ticket to a person", "key account_id"),
];

/// What somebody wants, and the tool that does it.
const QUESTIONS: &[(&str, &str)] = &[
    ("what time is it in Tokyo", "time.get_current_time"),
    ("convert 5pm from New York to Berlin time", "time.convert_time"),
    ("open a PR with my branch", "github.create_pull_request"),
    ("merge the pull request", "github.merge_pull_request"),
    ("which files did this pull request change", "github.get_pull_request_files"),
    ("report a bug in the repo", "github.create_issue"),
    ("find where a function is used in our code", "github.search_code"),
    ("show uncommitted changes", "git.git_diff_unstaged"),
    ("commit my work", "git.git_commit"),
    ("history of commits", "git.git_log"),
    ("switch to another branch", "git.git_checkout"),
    ("rename a file", "fs.move_file"),
    ("read a file", "fs.read_text_file"),
    ("make a folder", "fs.create_directory"),
    ("what is in this directory", "fs.list_directory"),
    ("how big is the file", "fs.get_file_info"),
    ("find files by name pattern", "fs.search_files"),
    ("tell the team on slack that we are done", "slack.slack_post_message"),
    ("answer in the slack thread", "slack.slack_reply_to_thread"),
    ("react with a thumbs up emoji", "slack.slack_add_reaction"),
    ("recent messages in the channel", "slack.slack_get_channel_history"),
    ("email the report to Anna", "mail.send_email"),
    ("look for a mail from last week", "mail.search_mail"),
    ("schedule a meeting", "cal.create_event"),
    ("when is everybody free", "cal.find_free_slot"),
    ("cancel the meeting", "cal.delete_event"),
    ("what appointments do I have tomorrow", "cal.list_events"),
    ("run a sql select", "db.query"),
    ("columns of the orders table", "db.describe_table"),
    ("which tables are in the database", "db.list_tables"),
    ("download this web page", "web.fetch"),
    ("search the internet for news", "web.brave_web_search"),
    ("take a screenshot", "browser.take_screenshot"),
    ("click the button", "browser.click"),
    ("coordinates of an address", "maps.geocode"),
    ("how do I get from the station to the hotel", "maps.directions"),
    ("restaurants nearby", "maps.search_places"),
    ("will it rain tomorrow, weather", "weather.get_forecast"),
    ("give the money back to the customer, refund", "stripe.create_refund"),
    ("show invoices of a client", "stripe.list_invoices"),
    ("end the subscription", "stripe.cancel_subscription"),
    ("logs of the pod", "k8s.pods_log"),
    ("scale to five replicas", "k8s.scale_deployment"),
    ("apply a manifest", "k8s.resources_apply"),
    ("stack trace of the crash", "sentry.get_stacktrace"),
    ("move the ticket to done", "jira.transition_issue"),
    ("comment on the ticket", "jira.add_comment"),
    ("assign the ticket to me", "jira.assign_issue"),
    ("creat_pul_reqest", "github.create_pull_request"),
    ("screenshoot", "browser.take_screenshot"),
];

fn index() -> Index {
    let entry = |(canonical, description, parameters): &(&str, &str, &str)| {
        let (server, name) = canonical.split_once('.').unwrap();
        let properties: serde_json::Map<_, _> =
            parameters.split(' ').map(|name| (name.to_owned(), json!({"type": "string"}))).collect();
        let tool = json!({"name": name, "description": description, "inputSchema": {"type": "object", "properties": properties}});
        let origin = Origin { server: &server.into(), revision: None, makes_tasks: false };
        Arc::new(Entry::read(origin, Kind::Tool, &Raw::trusted(Bytes::from(tool.to_string()))).unwrap())
    };
    Index::new(&TOOLS.iter().map(entry).collect::<Vec<_>>())
}

/// How many questions have their tool among the first so many results.
fn found_within(limit: usize) -> usize {
    let index = index();
    let found = |(question, tool): &&(&str, &str)| {
        index.find(question, limit, &|_| true).iter().any(|hit| &*hit.tool.canonical == *tool)
    };
    QUESTIONS.iter().filter(found).count()
}

#[test]
fn the_right_tool_comes_first_as_often_as_the_page_says() {
    assert!(found_within(1) >= 41, "{} of {}", found_within(1), QUESTIONS.len());
}

#[test]
fn the_right_tool_is_among_five_as_often_as_the_page_says() {
    assert!(found_within(5) >= 49, "{} of {}", found_within(5), QUESTIONS.len());
}

#[test]
fn a_tool_the_caller_may_not_use_is_not_found() {
    let hits = index().find("merge the pull request", 20, &|tool| &*tool.real != "merge_pull_request");
    assert!(hits.iter().all(|hit| &*hit.tool.real != "merge_pull_request") && !hits.is_empty());
}

#[test]
fn a_question_without_a_word_finds_nothing() {
    assert!(index().find("  ", 5, &|_| true).is_empty());
}
