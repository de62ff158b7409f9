// Stock counts come in as the body of a trigger; a report goes out as the tenant's
// metadata. Pure computing: this integration has no network and needs none.
//
// stdout: one JSON line, the metadata. stderr: the log, for people.
'use strict';

const fs = require('node:fs');
const os = require('node:os');

const log = (text) => process.stderr.write(`${text}\n`);

class BadInput extends Error {}

function readJson(path, what) {
    const text = fs.readFileSync(path, 'utf8');
    try {
        return JSON.parse(text);
    } catch (error) {
        throw new BadInput(`${what} is not JSON: ${error.message}`);
    }
}

// Each trigger once, in order: a bundle may present one twice.
function triggers() {
    const seen = new Set();
    return JSON.parse(process.env.PAN_CTX_RUN_TRIGGERS || '[]').filter((trigger) => {
        const fresh = !seen.has(String(trigger.id));
        seen.add(String(trigger.id));
        return fresh;
    });
}

function checked(item, trigger) {
    const whole = (name) => Number.isSafeInteger(item[name]) && item[name] >= 0;
    if (typeof item !== 'object' || item === null || typeof item.sku !== 'string')
        throw new BadInput(`trigger ${trigger}: an item has no 'sku'`);
    for (const name of ['on_hand', 'sold_last_30_days', 'price_cents'])
        if (!whole(name))
            throw new BadInput(`trigger ${trigger}: '${name}' of '${item.sku}' must be a whole number`);
    return item;
}

// Later counts of an item replace earlier ones.
function countsOf(list) {
    const counts = new Map();
    for (const trigger of list) {
        const file = trigger.payload && trigger.payload.file;
        if (!file) {
            log(`trigger ${trigger.id} from ${trigger.source}: no counts, skipped`);
            continue;
        }
        const body = readJson(file, `the body of trigger ${trigger.id}`);
        const items = Array.isArray(body.items) ? body.items : [];
        for (const item of items) counts.set(item.sku, checked(item, trigger.id));
        log(`trigger ${trigger.id} from ${trigger.source}: ${items.length} items`);
    }
    return [...counts.values()];
}

function report(items, before) {
    const limit = Number(process.env.PAN_CFG_LOW_STOCK_DAYS || 14);
    const all = process.env.PAN_CFG_INCLUDE_DISCONTINUED === 'true';
    const live = items.filter((item) => all || !item.discontinued);
    const daysLeft = (item) => Math.floor(item.on_hand / (item.sold_last_30_days / 30));
    const low = live
        .filter((item) => item.sold_last_30_days > 0 && daysLeft(item) < limit)
        .map((item) => ({ sku: item.sku, days_left: daysLeft(item) }))
        .sort((a, b) => a.days_left - b.days_left || a.sku.localeCompare(b.sku));
    return {
        items: live.length,
        stock_value_cents: live.reduce((sum, item) => sum + item.on_hand * item.price_cents, 0),
        currency: process.env.PAN_CFG_CURRENCY || 'EUR',
        low_stock: low,
        reports: (before.reports || 0) + 1,
    };
}

function tell(now, before) {
    for (const { sku, days_left } of now.low_stock) log(`low: '${sku}' lasts ${days_left} more days`);
    const change = now.stock_value_cents - (before.stock_value_cents || 0);
    log(`${now.items} items worth ${(now.stock_value_cents / 100).toFixed(2)} ${now.currency} ` +
        `(${change >= 0 ? '+' : ''}${(change / 100).toFixed(2)})`);
}

function networks() {
    try {
        return Object.keys(os.networkInterfaces()).filter((name) => name !== 'lo');
    } catch {
        return [];  // a sandbox may refuse even the question
    }
}

function main() {
    const path = process.env.PAN_CTX_TENANT_METADATA_FILE;
    const before = path && fs.existsSync(path) ? readJson(path, 'the metadata file') : {};
    const outside = networks();
    log(`interfaces besides loopback: ${outside.length ? outside.join(', ') : 'none'}`);

    const items = process.env.PAN_CTX_RUN_MODE === 'init' ? [] : countsOf(triggers());
    if (items.length === 0) {
        log('nothing was counted; the last report stands');
        // A run that has nothing to say repeats what is known: the whole object is checked.
        const none = { items: 0, stock_value_cents: 0, low_stock: [] };
        console.log(JSON.stringify({ ...none, ...before }));
        return;
    }
    const now = report(items, before);
    tell(now, before);
    console.log(JSON.stringify(now));
}

try {
    main();
} catch (error) {
    if (!(error instanceof BadInput)) throw error;
    log(`failed: ${error.message}`);
    process.exitCode = 1;
}
