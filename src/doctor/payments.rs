//! The payment gateway, and the secrets that webhooks are proved by.

use super::report::{Part, Verdict};
use crate::cli::Doctor;
use sinks::payment_gateway::signature::Secrets;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Looks at the gateway and the secrets.
pub(super) fn examine(doctor: &Doctor, data: &Path) -> Part {
    let part = Part::new("payments", &doctor.payments_url);
    let part = match doctor.payments_url.as_str() {
        "sandbox:" => {
            let detail = "the sandbox moves no money: for trying out";
            part.version("sandbox").with("gateway", Verdict::Unsafe, detail)
        }
        _ => part.with("gateway", Verdict::Ok, "nobody is asked; webhooks say what was paid"),
    };
    let own = data.join("webhook-secret");
    match &doctor.webhook_secret_file {
        Some(file) => secrets(part, file),
        None if own.exists() => secrets(part, &own),
        None => part.with("secrets", Verdict::Ok, "there are none; the first start makes one"),
    }
}

fn secrets(part: Part, file: &Path) -> Part {
    if let Err(error) = Secrets::load(file) {
        return part.with("secrets", Verdict::Failed, error.to_string());
    }
    let shown = file.display();
    let readable = |metadata: Metadata| metadata.permissions().mode() & 0o077 != 0;
    match file.metadata().map(readable) {
        Ok(false) => part.with("secrets", Verdict::Ok, format!("{shown}: for its owner alone")),
        Ok(true) => {
            let detail = format!("others may read {shown}: `chmod 600 {shown}`");
            part.with("secrets", Verdict::Unsafe, detail)
        }
        Err(error) => part.with("secrets", Verdict::Failed, format!("{shown}: {error}")),
    }
}
