use std::path::PathBuf;

use crate::config::section::Section;
use crate::template::Template;

/// `[….handler.spool]`: write the body into a directory, as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntoSpool {
    /// The directory; it has to be there.
    pub directory: PathBuf,
    /// The key of each message, of which its file has the percent-encoded form for a name.
    pub name: Template,
}

/// A message that comes again replaces itself, and nothing else.
const NAME: &str = "{message_id}";

pub(super) fn read(section: &mut Section<'_>) -> IntoSpool {
    let directory = section.path_of("directory");
    if !section.has("directory") {
        section.missing("directory", "\"/var/spool/longshore/orders\"");
    }
    let name = section.formed("name", |text| match Template::read(text)? {
        template if template.tells_messages_apart() => Ok(template),
        _ => Err(format!("{text:?} has no {NAME}: one message would replace another")),
    });
    IntoSpool {
        directory: directory.unwrap_or_default(),
        name: name.or_else(|| Template::read(NAME).ok()).unwrap_or_default(),
    }
}
