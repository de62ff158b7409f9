// The other way round: what we have signed, in the form of sign.mjs, judged by the
// providers' own libraries. Reads the file that is its argument; one word a line: `yes`, `no`.
import { readFileSync } from 'node:fs';
import hubspot from '@hubspot/api-client';
import { verify as octokit } from '@octokit/webhooks-methods';
import sendgrid from '@sendgrid/eventwebhook';
import '@shopify/shopify-api/adapters/node';
import { ApiVersion, LogSeverity, shopifyApi } from '@shopify/shopify-api';
import { verifySlackRequest } from '@slack/bolt/dist/receivers/verify-request.js';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import twilio from 'twilio/lib/webhooks/webhooks.js';

const shopify = (secret) => shopifyApi({
  apiKey: 'app', apiSecretKey: secret, apiVersion: ApiVersion.July25, hostName: 'app.example.com',
  isEmbeddedApp: false, logger: { level: LogSeverity.Error, log: () => {} },
});

const judges = {
  github: ({ secret, headers, body }) => octokit(secret, body, headers['x-hub-signature-256']),
  'standard-webhooks': ({ secret, headers, body }) => new Webhook(secret).verify(body, headers),
  stripe: ({ secret, headers, body }) =>
      Stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret),
  slack: ({ secret, headers, body }) => {
    verifySlackRequest({ signingSecret: secret, body, headers: {
      'x-slack-signature': headers['x-slack-signature'],
      'x-slack-request-timestamp': Number(headers['x-slack-request-timestamp']),
    } });
    return true;
  },
  'hubspot-oauth': ({ secret, headers, body, url }) => hubspot.Signature.isValid({
    signatureVersion: 'v3', clientSecret: secret, requestBody: body, url,
    signature: headers['x-hubspot-signature-v3'],
    timestamp: Number(headers['x-hubspot-request-timestamp']),
  }),
  shopify: async ({ secret, headers, body }) => (await shopify(secret).webhooks.validate({
    rawBody: body, rawResponse: {}, rawRequest: { method: 'POST', url: '/', headers: {
      ...headers, 'x-shopify-api-version': '2025-07', 'x-shopify-topic': 'orders/create',
      'x-shopify-shop-domain': 'a.myshopify.com' } },
  })).valid,
  sendgrid: ({ secret, headers, body }) => {
    const judge = new sendgrid.EventWebhook();
    return judge.verifySignature(judge.convertPublicKeyToECDSA(secret), body,
        headers['x-twilio-email-event-webhook-signature'],
        headers['x-twilio-email-event-webhook-timestamp']);
  },
  twilio: ({ secret, headers, body, url }) =>
      twilio.validateRequestWithBody(secret, headers['x-twilio-signature'], url, body),
};

for (const line of readFileSync(process.argv[2], 'utf8').split('\n').filter(Boolean)) {
  const delivery = JSON.parse(line);
  let good = false;
  try {
    good = Boolean(await judges[delivery.provider](delivery));
  } catch {
  }
  console.log(good ? 'yes' : 'no');
}
