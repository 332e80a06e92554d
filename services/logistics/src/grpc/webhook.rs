//! What partner firms ask of their webhooks.

use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, webhook_service_server::WebhookService},
};
use tonic::{Code, Request, Response, Status};

use super::{Answer, SERVICE, Service};
use crate::{
    parse::webhook as parse,
    webhook::secret::{Secret, SecretKey},
};
use service_kit::status::status;

impl Service {
    fn webhook_key(&self) -> Result<&SecretKey, Status> {
        self.webhooks.key.as_ref().ok_or_else(|| {
            let message = "this service has no key for webhooks: ask the operator to put one into \
                           its folder of keys, or read WatchTenders instead";
            status(SERVICE, Code::FailedPrecondition, "WEBHOOKS_OFF", message)
        })
    }

    fn secret(&self, webhook_id: &str, number: i32) -> Result<Secret, Status> {
        Ok(self.webhook_key()?.secret(webhook_id, number))
    }
}

#[tonic::async_trait]
impl WebhookService for Service {
    async fn register_webhook(
        &self,
        request: Request<pb::RegisterWebhookRequest>,
    ) -> Answer<pb::RegisterWebhookResponse> {
        self.webhook_key()?;
        let (call, message) = self.partitions.command(request)?;
        let command = parse::register(&message, self.webhooks.policy)?;
        let committed = call.run(command).await?;
        let mut answer = pb::RegisterWebhookResponse {
            position: committed.position.0,
            ..Default::default()
        };
        for record in &committed.records {
            if let LogisticsEvent::WebhookRegistered(event) = &record.event {
                answer.webhook_id.clone_from(&event.webhook_id);
                answer.secret = self.secret(&event.webhook_id, 1)?.reveal();
            }
        }
        Ok(Response::new(answer))
    }

    async fn rotate_webhook_secret(
        &self,
        request: Request<pb::RotateWebhookSecretRequest>,
    ) -> Answer<pb::RotateWebhookSecretResponse> {
        self.webhook_key()?;
        let done = self.submit(request, parse::rotate).await?;
        let mut answer = pb::RotateWebhookSecretResponse {
            position: done.position(),
            ..Default::default()
        };
        for event in done.events() {
            if let LogisticsEvent::WebhookSecretRotated(event) = event {
                let secret = self.secret(&event.webhook_id, event.secret_number)?;
                answer.secret = secret.reveal();
            }
        }
        Ok(Response::new(answer))
    }

    async fn pause_webhook(
        &self,
        request: Request<pb::PauseWebhookRequest>,
    ) -> Answer<pb::PauseWebhookResponse> {
        let done = self.submit(request, parse::pause).await?;
        let position = done.position();
        Ok(Response::new(pb::PauseWebhookResponse { position }))
    }

    async fn resume_webhook(
        &self,
        request: Request<pb::ResumeWebhookRequest>,
    ) -> Answer<pb::ResumeWebhookResponse> {
        let done = self.submit(request, parse::resume).await?;
        let position = done.position();
        Ok(Response::new(pb::ResumeWebhookResponse { position }))
    }

    async fn remove_webhook(
        &self,
        request: Request<pb::RemoveWebhookRequest>,
    ) -> Answer<pb::RemoveWebhookResponse> {
        let done = self.submit(request, parse::remove).await?;
        let position = done.position();
        Ok(Response::new(pb::RemoveWebhookResponse { position }))
    }

    async fn test_webhook(
        &self,
        request: Request<pb::TestWebhookRequest>,
    ) -> Answer<pb::TestWebhookResponse> {
        let done = self.submit(request, parse::test).await?;
        let position = done.position();
        Ok(Response::new(pb::TestWebhookResponse { position }))
    }

    async fn list_webhooks(
        &self,
        request: Request<pb::ListWebhooksRequest>,
    ) -> Answer<pb::ListWebhooksResponse> {
        let message = request.get_ref();
        let carrier_id = crate::parse::freight::carrier_id(&message.carrier_id)?;
        let (webhooks, position) = self
            .partitions
            .query(message, |machine, area, _| {
                let own = machine.state().webhooks_of(area, &carrier_id);
                own.map(|webhook| webhook.to_message()).collect::<Vec<_>>()
            })
            .await?;
        let number = self.partitions.iter().map(|partition| partition.number());
        let mut answer = pb::ListWebhooksResponse {
            as_of_position: position.0,
            webhooks,
        };
        for number in number {
            if let Some(progress) = self.webhooks.progress.get(&number) {
                answer
                    .webhooks
                    .iter_mut()
                    .for_each(|one| progress.show(one));
            }
        }
        Ok(Response::new(answer))
    }
}
