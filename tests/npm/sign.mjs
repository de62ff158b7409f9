// Signs made-up deliveries with the providers' own libraries, one JSON line each:
// {provider, secret, method, url, headers, body}. Arguments: the time in seconds, how many
// of each. Read from standard input by `node --input-type=module -` in the folder that has
// node_modules.
import crypto from 'node:crypto';
import hubspot from '@hubspot/api-client';
import { sign as octokit } from '@octokit/webhooks-methods';
import '@shopify/shopify-api/adapters/node';
import { createSHA256HMAC, HashFormat } from '@shopify/shopify-api/runtime';
import { Webhook } from 'standardwebhooks';
import starkbank from 'starkbank-ecdsa'; // what SendGrid's own library is made of
import curves from 'starkbank-ecdsa/ellipticcurve/curve.js';
import Stripe from 'stripe';
import twilio from 'twilio/lib/webhooks/webhooks.js';

const seconds = Number(process.argv[2]);
const count = Number(process.argv[3]);
const words = ['ok', 'über', '你好', '🎉', '"quoted"', 'a+b&c=d%20', '</x>', ' ', '\\', 'line\nend'];
const word = () => words[crypto.randomInt(words.length)];
const address = 'https://hooks.example.com/hooks/' + '0a'.repeat(24);

const say = (provider, secret, headers, body, url = address) =>
  console.log(JSON.stringify({ provider, secret, method: 'POST', url, headers, body }));

const signer = new starkbank.PrivateKey(curves.prime256v1);

for (let i = 0; i < count; i++) {
  const secret = crypto.randomBytes(24).toString('hex');
  const id = `d-${i}`;
  const body = JSON.stringify({ id, type: 'a.b', event_id: id, text: word() + word(), n: i });

  say('github', secret,
      { 'x-github-delivery': id, 'x-hub-signature-256': await octokit(secret, body) }, body);

  say('shopify', secret, {
    'x-shopify-webhook-id': id,
    'x-shopify-hmac-sha256': await createSHA256HMAC(secret, body, HashFormat.Base64),
  }, body);

  const whole = String(seconds) + body;
  say('sendgrid', signer.publicKey().toPem().replace(/-----[^-]*-----|\n/g, ''), {
    'x-twilio-email-event-webhook-timestamp': String(seconds),
    'x-twilio-email-event-webhook-signature': starkbank.Ecdsa.sign(whole, signer).toBase64(),
  }, body);

  const standard = 'whsec_' + crypto.randomBytes(24).toString('base64');
  say('standard-webhooks', standard, {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': new Webhook(standard).sign(id, new Date(seconds * 1000), body),
  }, body);

  const whsec = 'whsec_' + secret;
  say('stripe', whsec, {
    'stripe-signature': Stripe.webhooks.generateTestHeaderString(
        { payload: body, secret: whsec, timestamp: seconds }),
  }, body);

  const timestamp = seconds * 1000 + i % 1000;
  say('hubspot-oauth', secret, {
    'x-hubspot-request-timestamp': String(timestamp),
    'x-hubspot-signature-v3': hubspot.Signature.getSignature('POST', 'v3',
        { clientSecret: secret, requestBody: body, url: address, timestamp }),
  }, body);

  const form = { To: '+1800' + i, From: word(), Body: word() + word(), Digits: String(i) };
  say('twilio', secret, {
    'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
    'x-twilio-signature': twilio.getExpectedTwilioSignature(secret, address, form),
  }, new URLSearchParams(form).toString());

  const hashed = `${address}?bodySHA256=${twilio.getExpectedBodyHash(body)}`;
  say('twilio', secret, {
    'content-type': 'application/json',
    'x-twilio-signature': twilio.getExpectedTwilioSignature(secret, hashed, {}),
  }, body, hashed);
}
