// Every limit of the product, named and explained, in one file. What somebody
// outside can make grow has its limit here (style.md rule 23).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace berth::limits {

using namespace std::chrono_literals;
inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;

// --- control plane (reliability.md B2)
inline constexpr std::size_t kHttpHeadBytes = 16 * KiB;
inline constexpr std::size_t kHttpHeaderCount = 100;
inline constexpr std::size_t kHttpUriBytes = 8 * KiB;
inline constexpr std::size_t kHttpBodyBytes = 1 * MiB;
inline constexpr std::size_t kReleaseUploadBytes = 256 * MiB;  // the one route with a large body
inline constexpr auto kHttpHeadTime = 10s;  // from the first byte to the end of the head
inline constexpr std::size_t kHttpBodyBytesPerSecond = 1 * KiB;  // slower senders are cut off
inline constexpr std::size_t kHttpBodiesBytes = 256 * MiB;  // in memory, of all requests together
inline constexpr auto kHttpIdleTime = 60s;                       // keep-alive
inline constexpr std::size_t kHttpConnections = 1024;
inline constexpr std::size_t kHttpConnectionsPerUid = 256;
inline constexpr std::size_t kHttpReadAheadBytes =
    64 * KiB;                                             // kept while a request is being answered
inline constexpr std::size_t kHttpUnsentBytes = 4 * MiB;  // a follower that reads slower is cut off

inline constexpr std::size_t kHttpChunkLineBytes = 256;  // a chunk's size and extensions
inline constexpr std::size_t kHttpRefusals = 64;  // connections being told that they are not served
inline constexpr auto kHttpBodyWindow = 10s;      // over which the rate of a body is measured
inline constexpr auto kHttpLingerTime = 2s;       // for the client to read why it was cut off
inline constexpr auto kHttpHeartbeat = 15s;       // between signs of life on a quiet event stream
inline constexpr auto kHttpStopTime = 10s;        // for requests in flight when the daemon stops
inline constexpr auto kHttpSweep = 250ms;         // how often deadlines are looked at

// --- the public socket: what anybody may reach through a reverse proxy
inline constexpr std::size_t kPublicConnections = 512;  // nginx and Caddy keep theirs open
inline constexpr std::size_t kPublicBodiesBytes = 64 * MiB;
inline constexpr auto kPublicHeadTime = 5s;
inline constexpr auto kPublicBodyWindow = 5s;
inline constexpr std::size_t kPublicBodyBytesPerSecond = 4 * KiB;
inline constexpr auto kPublicIdleTime = 75s;  // longer than nginx keeps an idle one (60 s)

// --- webhooks
inline constexpr std::size_t kWebhookBodyBytes = 5 * MiB;
inline constexpr std::size_t kWebhookHeadersBytes = 4 * KiB;  // of a delivery, kept for its run
inline constexpr std::size_t kWebhookChallengeBytes = 1 * KiB;
inline constexpr std::size_t kWebhookDeliveries = 100;  // on the record, of each endpoint
inline constexpr auto kWebhookOverlap = 24h;            // a replaced address still serves
inline constexpr auto kWebhookMaxOverlap = 30 * 24h;
// Of one endpoint in a second, and ten times as many at once after a quiet time.
inline constexpr std::int64_t kWebhookRate = 1000;
inline constexpr std::int64_t kWebhookBurst = 10;
// Of one address: refusals that are put on record, in a minute.
inline constexpr std::int64_t kWebhookRefusals = 60;
inline constexpr std::size_t kWebhookAddresses = 4096;  // whose rate is remembered

// --- the page behind an auth link
inline constexpr std::size_t kFormBytes = 256 * KiB;
inline constexpr std::size_t kFormFields = 64;
inline constexpr int kConnectViewsPerMinute = 60;  // of each link
inline constexpr int kConnectFormsPerMinute = 20;
inline constexpr std::size_t kConnectLinks = 4096;  // that are remembered

// --- JSON from people (reliability.md B3)
inline constexpr int kJsonDepth = 64;

// --- PANDIUM.yaml (reliability.md B4)
inline constexpr std::size_t kManifestBytes = 256 * KiB;
inline constexpr int kManifestDepth = 32;
inline constexpr std::size_t kManifestNodes = 100'000;
inline constexpr std::size_t kManifestAliases = 50;

// --- names
inline constexpr std::size_t kNameBytes = 63;  // tenants, integrations, connectors
inline constexpr std::size_t kLongNameBytes = 200;
inline constexpr std::size_t kHostNameBytes = 253;      // RFC 1035
inline constexpr std::size_t kEgressNames = 64;         // of an integration
inline constexpr std::size_t kCommandBytes = 16 * KiB;  // a manifest's `run` or `build` line

// --- releases
inline constexpr std::size_t kReleaseFiles = 100'000;
inline constexpr std::size_t kReleaseBytes = 1024 * MiB;  // unpacked

// --- secrets
inline constexpr std::size_t kSecretBytes = 64 * KiB;  // one field; the envelope's largest padding
inline constexpr std::size_t kSecretFields = 64;       // per connection
inline constexpr std::size_t kFieldBytes = 4 * KiB;    // of a connection, one that is no secret
inline constexpr std::size_t kFieldNameBytes = 40;     // of a connector kind's field
inline constexpr std::size_t kKindFields = 32;
inline constexpr std::int64_t kConnectionEvents = 100;  // of each connection's history
inline constexpr std::size_t kSecretMemoryBytes = 4 * MiB;  // locked, in berth-runner; a power of 2
inline constexpr std::size_t kMaskableSecretBytes = 6;      // shorter ones would mask half a log
inline constexpr std::size_t kMaskPatternBytes = 1 * MiB;   // of all forms of a run's secrets

// --- triggers and runs
inline constexpr std::size_t kTriggerPayloadBytes = kHttpBodyBytes;
// A larger bundle leaves the rest waiting; so many always fit into one entry of the
// environment, with what is large in files.
inline constexpr std::size_t kTriggersPerRun = 400;
inline constexpr std::size_t kWaitingTriggersPerTenant = 100'000;
inline constexpr std::size_t kWaitingTriggers = 5'000'000;  // on a host
inline constexpr std::size_t kTriggersEnvBytes = 96 * KiB;  // PAN_CTX_RUN_TRIGGERS
// One `NAME=value` of an environment is at most 128 KiB (execve(2), MAX_ARG_STRLEN).
inline constexpr std::size_t kEnvEntryBytes = 128 * KiB - 1;
inline constexpr std::size_t kEnvBytes =
    1536 * KiB;  // all of it: below a quarter of an 8 MiB stack
inline constexpr std::size_t kStateBytes = 96 * KiB;    // the last stdout line; it becomes an entry
inline constexpr std::size_t kMetadataBytes = 1 * MiB;  // tenant metadata, a file in the sandbox
inline constexpr std::size_t kTriggerFilesBytes = 32 * MiB;  // payload files of one bundle
inline constexpr std::size_t kPlanFilesBytes = 64 * MiB;  // payload and metadata files of one run

inline constexpr auto kWallTime = 600s;  // pandium-contract.md 4
inline constexpr auto kMaxWallTime = 24h;
inline constexpr auto kTermGrace = 10s;  // from SIGTERM to SIGKILL
inline constexpr int kMaxAttempts = 3;   // of a run with `on_lost: retry`
inline constexpr auto kSetupTime = 30s;  // from asking for a sandbox to the exec in it
inline constexpr std::uint64_t kMemoryBytes = 512 * MiB;
inline constexpr std::uint64_t kScratchBytes = 256 * MiB;  // /tmp, /work and /dev/shm together
inline constexpr std::uint64_t kScratchInodes = 65'536;
inline constexpr std::uint64_t kProcesses = 256;
inline constexpr std::uint64_t kOpenFiles = 1024;
inline constexpr std::uint64_t kFileBytes = 256 * MiB;  // RLIMIT_FSIZE

// --- jobs: programs of Berth's own, each with the secrets of one connection
inline constexpr std::size_t kJobs = 16;              // in flight on a host
inline constexpr std::size_t kJobsOfConnection = 4;   // of these, of one connection
inline constexpr std::size_t kWaitingJobs = 256;      // until there is room; past it, refused
inline constexpr std::size_t kJobRecords = 128;       // of an answer
inline constexpr std::size_t kJobAnswerBytes = 6 * MiB;
inline constexpr std::size_t kJobLogBytes = 64 * KiB;  // its last ones
inline constexpr std::uint64_t kJobMemoryBytes = 256 * MiB;
inline constexpr auto kJobWallTime = 120s;  // the longest

// --- connector calls
inline constexpr std::size_t kCallAnswerBytes = 5 * MiB;
inline constexpr std::size_t kCallUrlBytes = 8 * KiB;
inline constexpr std::size_t kCallHeaders = 64;
inline constexpr auto kCallTime = 25s;
inline constexpr int kCallRedirects = 5;
inline constexpr int kCallsPerMinute = 600;  // of a tenant

// --- what a run connects to
inline constexpr std::size_t kRunConnections = 1'000;  // on its record; what follows is counted

// --- berth-egress; for one run where nothing else is said
inline constexpr std::size_t kEgressListeners = 32;        // opened in its sandbox
inline constexpr std::size_t kEgressConnections = 256;     // open at once; more wait in the backlog
inline constexpr std::size_t kEgressKnownNames = 4'096;    // each has an address of its own
inline constexpr std::size_t kEgressLookups = 16;          // at once
inline constexpr std::size_t kEgressWaitingLookups = 256;  // past it, a name cannot be looked up
inline constexpr std::size_t kEgressAddresses = 8;         // of a name, tried one after the other
inline constexpr auto kEgressNameTime = 30s;  // for so long a look-up serves further connections
inline constexpr auto kEgressConnectTime = 15s;  // for each address
inline constexpr auto kEgressHeadTime = 10s;     // for a CONNECT head, or a TLS hello
inline constexpr std::size_t kEgressHeadBytes = 8 * KiB;     // of a CONNECT head
inline constexpr std::size_t kEgressHelloBytes = 17 * KiB;   // of a TLS hello: one record
inline constexpr std::size_t kEgressBufferBytes = 64 * KiB;  // each way, only while one end is slow
inline constexpr auto kEgressIdleTime = 30min;  // without a byte; its wall time mostly comes first
inline constexpr std::size_t kEgressDnsConnections = 16;   // DNS over TCP, at once
inline constexpr std::size_t kEgressPacketBytes = 64 * KiB;  // runner ↔ egress
inline constexpr auto kEgressAloneTime = 60s;  // for the next runner to come for a run
inline constexpr auto kEgressHelloTime = 10s;  // for berth-egress to answer; then it is not there

// --- schedules (reliability.md B7)
inline constexpr std::size_t kScheduleBytes = 256;    // cron text or interval
inline constexpr std::size_t kZoneNameBytes = 64;     // `America/Argentina/ComodRivadavia` has 32
inline constexpr std::size_t kZoneBytes = 256 * KiB;  // one zoneinfo file; the largest has 4 KiB
inline constexpr auto kLongestInterval = 366 * 24h;

// --- what a run prints
inline constexpr std::uint64_t kLogBytes = 16 * MiB;       // per run; then one truncation marker
inline constexpr std::size_t kLogChunkBytes = 64 * KiB;    // one record
inline constexpr std::size_t kOutputQueueBytes = 4 * MiB;  // runner → berthd; past it, pipes wait
inline constexpr auto kDrainTime = 5s;  // from the end of a run to the end of its output

// --- store
inline constexpr std::size_t kStoreQueue = 16'384;       // operations waiting for the writer
inline constexpr std::size_t kStoreReadQueue = 16'384;   // and for the reader
inline constexpr std::size_t kStoreBatch = 512;          // operations in one commit
inline constexpr auto kStoreBusyTime = 5000ms;           // for a lock that somebody else holds
inline constexpr std::size_t kPreparedStatements = 256;  // per connection
inline constexpr int kCheckpointPages = 1000;  // of the write-ahead log, then it is copied back
inline constexpr int kWalMaxPages = 16'384;    // 64 MiB; past it the writer itself waits for that
// Kept free for the ends of runs when the disk is full; on a small one a sixteenth of it.
inline constexpr std::uint64_t kStoreReserveBytes = 8 * MiB;
inline constexpr std::size_t kLogQueueBytes = 64 * MiB;  // log chunks waiting for their commit

// --- frames between the daemons
inline constexpr auto kReconnectTime = 250ms;  // between two tries to reach a daemon that is gone
inline constexpr std::size_t kFrameBytes = 64 * KiB;
inline constexpr std::size_t kMessageBytes = 128 * MiB;  // a start with its payload files

}  // namespace berth::limits
