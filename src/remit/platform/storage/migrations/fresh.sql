CREATE TABLE absence (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	starts_at BIGINT NOT NULL,
	ends_at BIGINT NOT NULL,
	deputy TEXT NOT NULL,
	PRIMARY KEY (tenant, person)
);
CREATE TABLE admin_policy (
	tenant TEXT NOT NULL,
	number BIGINT NOT NULL,
	digest TEXT NOT NULL,
	text TEXT NOT NULL,
	published_by TEXT NOT NULL,
	published_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, number)
);
CREATE TABLE agent_case (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	state TEXT NOT NULL,
	agent TEXT NOT NULL,
	task TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE agent_case_asked (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	agent_case TEXT NOT NULL,
	PRIMARY KEY (tenant, person, agent_case)
);
CREATE TABLE approval (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	"key" TEXT NOT NULL,
	state TEXT NOT NULL,
	agent TEXT NOT NULL,
	instance TEXT NOT NULL,
	user TEXT NOT NULL,
	task TEXT NOT NULL,
	requested_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	decided_at BIGINT NOT NULL,
	spent_by TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE approval_answer (
	tenant TEXT NOT NULL,
	approval TEXT NOT NULL,
	seat BIGINT NOT NULL,
	human TEXT NOT NULL,
	at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, approval, seat, human)
);
CREATE TABLE approval_asked (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	approval TEXT NOT NULL,
	PRIMARY KEY (tenant, person, approval)
);
CREATE TABLE approval_grant (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	family TEXT NOT NULL,
	"left" BIGINT NOT NULL,
	until BIGINT NOT NULL,
	revoked BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE approval_use (
	tenant TEXT NOT NULL,
	approval TEXT NOT NULL,
	call TEXT NOT NULL,
	decision TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, approval, call)
);
CREATE TABLE attention (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	approval TEXT NOT NULL,
	waits BIGINT NOT NULL,
	rank BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	alike TEXT NOT NULL,
	agent TEXT NOT NULL,
	action TEXT NOT NULL,
	asked_at BIGINT NOT NULL,
	card BIGINT NOT NULL,
	shown_at BIGINT NOT NULL,
	answered_at BIGINT NOT NULL,
	answer TEXT NOT NULL,
	together BIGINT NOT NULL,
	PRIMARY KEY (tenant, person, approval)
);
CREATE TABLE attention_budget (
	tenant TEXT NOT NULL,
	name TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE authorization_code (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	spent_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE backchannel_notice (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	outcome TEXT NOT NULL,
	tries BIGINT NOT NULL,
	due BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE backchannel_request (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	agent TEXT NOT NULL,
	state TEXT NOT NULL,
	step BIGINT NOT NULL,
	pause BIGINT NOT NULL,
	polled_at BIGINT NOT NULL,
	begun_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE breakglass (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE breakglass_use (
	tenant TEXT NOT NULL,
	glass TEXT NOT NULL,
	decision TEXT NOT NULL,
	effect TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, glass, decision)
);
CREATE TABLE budget (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	period BIGINT NOT NULL,
	spent BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE capability (
	tenant TEXT NOT NULL,
	jti TEXT NOT NULL,
	task TEXT NOT NULL,
	instance TEXT NOT NULL,
	audience TEXT NOT NULL,
	action TEXT NOT NULL,
	resource_type TEXT NOT NULL,
	resource TEXT NOT NULL,
	args_sha256 TEXT NOT NULL,
	tool_sha256 TEXT NOT NULL,
	cnf_jkt TEXT NOT NULL,
	state TEXT NOT NULL,
	exp BIGINT NOT NULL,
	call_id TEXT NOT NULL,
	node TEXT NOT NULL,
	consumed_at BIGINT NOT NULL,
	settled_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, jti)
);
CREATE TABLE ceiling (
	tenant TEXT NOT NULL,
	principal TEXT NOT NULL,
	changed_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, principal)
);
CREATE TABLE challenge (
	tenant TEXT NOT NULL,
	digest TEXT NOT NULL,
	keep_until BIGINT NOT NULL,
	PRIMARY KEY (tenant, digest)
);
CREATE TABLE change (
	revision BIGINT NOT NULL,
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	ident TEXT NOT NULL,
	PRIMARY KEY (revision)
);
CREATE TABLE channel (
	tenant TEXT NOT NULL,
	name TEXT NOT NULL,
	sealed BLOB NOT NULL,
	body TEXT NOT NULL,
	health TEXT NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE client (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	principal TEXT NOT NULL,
	kind TEXT NOT NULL,
	revoked BIGINT NOT NULL,
	changed_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE client_invitation (
	tenant TEXT NOT NULL,
	digest TEXT NOT NULL,
	uses BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, digest)
);
CREATE TABLE clock_mark (
	node TEXT NOT NULL,
	high_water BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	PRIMARY KEY (node)
);
CREATE TABLE companion (
	tenant TEXT NOT NULL,
	task TEXT NOT NULL,
	user TEXT NOT NULL,
	consent TEXT NOT NULL,
	PRIMARY KEY (tenant, task, user)
);
CREATE TABLE connect_flow (
	tenant TEXT NOT NULL,
	state TEXT NOT NULL,
	user TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	sealed BLOB,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, state)
);
CREATE TABLE connection (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	user TEXT NOT NULL,
	agent TEXT NOT NULL,
	provider TEXT NOT NULL,
	scopes TEXT NOT NULL,
	state TEXT NOT NULL,
	version BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	sealed BLOB,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE consent (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	user TEXT NOT NULL,
	agent TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE counter (
	name TEXT NOT NULL,
	value BIGINT NOT NULL,
	PRIMARY KEY (name)
);
INSERT INTO "counter" VALUES('change',0);
INSERT INTO "counter" VALUES('outbox',0);
INSERT INTO "counter" VALUES('forgotten',0);
CREATE TABLE credential (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	principal TEXT NOT NULL,
	thumbprint TEXT NOT NULL,
	state TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE decision (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	call TEXT NOT NULL,
	agent TEXT NOT NULL,
	effect TEXT NOT NULL,
	at BIGINT NOT NULL,
	outcome TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE delivery (
	subscriber TEXT NOT NULL,
	position BIGINT NOT NULL,
	PRIMARY KEY (subscriber)
);
CREATE TABLE device_mark (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	who TEXT NOT NULL,
	at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE device_request (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	user_code TEXT NOT NULL,
	client TEXT NOT NULL,
	step BIGINT NOT NULL,
	pause BIGINT NOT NULL,
	polled_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE domain_person (
	tenant TEXT NOT NULL,
	domain TEXT NOT NULL,
	theirs TEXT NOT NULL,
	subject TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, domain, theirs, subject)
);
CREATE TABLE domain_rule (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	domain TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE domain_run (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	domain TEXT NOT NULL,
	rule TEXT NOT NULL,
	user_id TEXT NOT NULL,
	agent TEXT NOT NULL,
	task TEXT NOT NULL,
	ends_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE enrolment (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	human TEXT NOT NULL,
	secret TEXT NOT NULL,
	state TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE envelope (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	task TEXT NOT NULL,
	digest TEXT NOT NULL,
	depth BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE history (
	tenant TEXT NOT NULL,
	mark TEXT NOT NULL,
	holder TEXT NOT NULL,
	value TEXT NOT NULL,
	bucket BIGINT NOT NULL,
	times BIGINT NOT NULL,
	last_at BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (tenant, mark, holder, value, bucket)
);
CREATE TABLE idempotency (
	tenant TEXT NOT NULL,
	principal TEXT NOT NULL,
	"key" TEXT NOT NULL,
	request_hash TEXT NOT NULL,
	response BLOB,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, principal, "key")
);
CREATE TABLE identity_provider (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	issuer TEXT NOT NULL,
	standing TEXT NOT NULL,
	sealed BLOB,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE issuer_keys (
	tenant TEXT NOT NULL,
	issuer TEXT NOT NULL,
	sequence BIGINT NOT NULL,
	asked_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, issuer)
);
CREATE TABLE job (
	tenant TEXT NOT NULL,
	name TEXT NOT NULL,
	due BIGINT NOT NULL,
	holder TEXT NOT NULL,
	fence BIGINT NOT NULL,
	lease_until BIGINT NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE kill (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE ledger_checkpoint (
	tenant TEXT NOT NULL,
	shard TEXT NOT NULL,
	size BIGINT NOT NULL,
	note BLOB NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, shard, size)
);
CREATE TABLE ledger_content (
	tenant TEXT NOT NULL,
	record TEXT NOT NULL,
	name TEXT NOT NULL,
	subject TEXT NOT NULL,
	version BIGINT NOT NULL,
	salt BLOB NOT NULL,
	sealed BLOB NOT NULL,
	PRIMARY KEY (tenant, record, name)
);
CREATE TABLE ledger_entries (
	tenant TEXT NOT NULL,
	shard TEXT NOT NULL,
	first BIGINT NOT NULL,
	count BIGINT NOT NULL,
	earliest BIGINT NOT NULL,
	latest BIGINT NOT NULL,
	body BLOB NOT NULL,
	hashes BLOB NOT NULL,
	PRIMARY KEY (tenant, shard, first)
);
CREATE TABLE ledger_mention (
	tenant TEXT NOT NULL,
	ident TEXT NOT NULL,
	shard TEXT NOT NULL,
	place BIGINT NOT NULL, also BLOB,
	PRIMARY KEY (tenant, ident, shard, place)
)
 WITHOUT ROWID

;
CREATE TABLE ledger_shard (
	tenant TEXT NOT NULL,
	shard TEXT NOT NULL,
	node TEXT NOT NULL,
	fence BIGINT NOT NULL,
	size BIGINT NOT NULL,
	root BLOB NOT NULL,
	frontier BLOB NOT NULL,
	"indexed" BIGINT NOT NULL,
	PRIMARY KEY (tenant, shard)
);
CREATE TABLE ledger_tile (
	tenant TEXT NOT NULL,
	shard TEXT NOT NULL,
	level BIGINT NOT NULL,
	number BIGINT NOT NULL,
	root BLOB NOT NULL,
	hashes BLOB NOT NULL,
	PRIMARY KEY (tenant, shard, level, number)
);
CREATE TABLE linked_identity (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	issuer TEXT NOT NULL,
	subject TEXT NOT NULL,
	human TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE logout_notice (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	outcome TEXT NOT NULL,
	tries BIGINT NOT NULL,
	due BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE message (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	about TEXT NOT NULL,
	state TEXT NOT NULL,
	stated_at BIGINT NOT NULL,
	due BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE node (
	id TEXT NOT NULL,
	fence BIGINT NOT NULL,
	state TEXT NOT NULL,
	lease_until BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE oncall_shift (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	roster TEXT NOT NULL,
	person TEXT NOT NULL,
	starts_at BIGINT NOT NULL,
	ends_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE outbox (
	position BIGINT NOT NULL,
	tenant TEXT NOT NULL,
	event TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (position)
);
CREATE TABLE passkey (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	human TEXT NOT NULL,
	credential TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE pending_change (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	state TEXT NOT NULL,
	proposed_by TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE pending_request (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	client TEXT NOT NULL,
	state TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE policy (
	tenant TEXT NOT NULL,
	number BIGINT NOT NULL,
	digest TEXT NOT NULL,
	text TEXT NOT NULL,
	published_by TEXT NOT NULL,
	published_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, number)
);
CREATE TABLE policy_seal (
	tenant TEXT NOT NULL,
	number BIGINT NOT NULL,
	seal TEXT NOT NULL,
	closed_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, number)
);
CREATE TABLE principal (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	state TEXT NOT NULL,
	owner TEXT NOT NULL,
	parent TEXT NOT NULL,
	blueprint TEXT NOT NULL,
	environment TEXT NOT NULL,
	task TEXT NOT NULL,
	changed_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE provider (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	retired BIGINT NOT NULL,
	sealed BLOB,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE push_device (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	sealed BLOB NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE reach (
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, person)
);
CREATE TABLE refresh_token (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	family TEXT NOT NULL,
	used_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE relation_change (
	tenant TEXT NOT NULL,
	store TEXT NOT NULL,
	number BIGINT NOT NULL,
	object TEXT NOT NULL,
	relation TEXT NOT NULL,
	user TEXT NOT NULL,
	written BIGINT NOT NULL,
	condition TEXT NOT NULL,
	context TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, store, number)
);
CREATE TABLE relation_model (
	tenant TEXT NOT NULL,
	store TEXT NOT NULL,
	number BIGINT NOT NULL,
	id TEXT NOT NULL,
	body TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, store, number)
);
CREATE TABLE relation_store (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	enforced BIGINT NOT NULL,
	position BIGINT NOT NULL,
	forgotten BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE relation_tuple (
	tenant TEXT NOT NULL,
	store TEXT NOT NULL,
	object TEXT NOT NULL,
	relation TEXT NOT NULL,
	user TEXT NOT NULL,
	condition TEXT NOT NULL,
	context TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, store, object, relation, user)
);
CREATE TABLE replay (
	tenant TEXT NOT NULL,
	"key" TEXT NOT NULL,
	jti TEXT NOT NULL,
	keep_until BIGINT NOT NULL,
	PRIMARY KEY (tenant, "key", jti)
)
 WITHOUT ROWID

;
CREATE TABLE risk_signal (
	tenant TEXT NOT NULL,
	subject TEXT NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, subject, kind)
);
CREATE TABLE schema_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT schema_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "schema_version" VALUES('0006');
CREATE TABLE seen (
	tenant TEXT NOT NULL,
	task TEXT NOT NULL,
	digest TEXT NOT NULL,
	label TEXT NOT NULL,
	source TEXT NOT NULL,
	flags BIGINT NOT NULL,
	until BIGINT NOT NULL,
	PRIMARY KEY (tenant, task, digest)
);
CREATE TABLE server (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE session (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	human TEXT NOT NULL,
	secret TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE setting (
	tenant TEXT NOT NULL,
	name TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, name)
);
CREATE TABLE sign_on (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	user TEXT NOT NULL,
	client TEXT NOT NULL,
	withdrawn_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE signing_key (
	tenant TEXT NOT NULL,
	kid TEXT NOT NULL,
	key_class TEXT NOT NULL,
	issuer TEXT NOT NULL,
	algorithm TEXT NOT NULL,
	public TEXT NOT NULL,
	state TEXT NOT NULL,
	not_before BIGINT NOT NULL,
	not_after BIGINT,
	sealed BLOB NOT NULL,
	PRIMARY KEY (tenant, kid)
);
CREATE TABLE source (
	tenant TEXT NOT NULL,
	holder TEXT NOT NULL,
	id TEXT NOT NULL,
	at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, holder, id)
);
CREATE TABLE source_label (
	tenant TEXT NOT NULL,
	holder TEXT NOT NULL,
	label TEXT NOT NULL,
	tag TEXT NOT NULL,
	source TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, holder, label)
);
CREATE TABLE source_print (
	tenant TEXT NOT NULL,
	holder TEXT NOT NULL,
	id TEXT NOT NULL,
	prints TEXT NOT NULL,
	PRIMARY KEY (tenant, holder, id)
);
CREATE TABLE subject_key (
	tenant TEXT NOT NULL,
	subject TEXT NOT NULL,
	version BIGINT NOT NULL,
	sealed BLOB,
	erased BIGINT,
	PRIMARY KEY (tenant, subject, version)
);
CREATE TABLE task (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	user TEXT NOT NULL,
	agent TEXT NOT NULL,
	consent TEXT NOT NULL,
	state TEXT NOT NULL,
	deadline BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE tenant (
	tenant TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant)
);
CREATE TABLE tenant_epoch (
	tenant TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	PRIMARY KEY (tenant)
);
CREATE TABLE tenant_revision (
	tenant TEXT NOT NULL,
	revision BIGINT NOT NULL,
	PRIMARY KEY (tenant)
);
CREATE TABLE token (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	principal TEXT NOT NULL,
	agent TEXT NOT NULL,
	user TEXT NOT NULL,
	task TEXT NOT NULL,
	state TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE token_family (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	client TEXT NOT NULL,
	user TEXT NOT NULL,
	state TEXT NOT NULL,
	number BIGINT NOT NULL,
	ends_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE token_status (
	tenant TEXT NOT NULL,
	list TEXT NOT NULL,
	idx BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, list, idx)
);
CREATE TABLE tombstone (
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	ident TEXT NOT NULL,
	epoch BIGINT NOT NULL,
	cause TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (tenant, kind, ident, epoch)
);
CREATE TABLE tool (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	server TEXT NOT NULL,
	name TEXT NOT NULL,
	pin TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE trust_rule (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	issuer TEXT NOT NULL,
	agent TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE trusted_domain (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	issuer TEXT NOT NULL,
	direction TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE trusted_issuer (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	name TEXT NOT NULL,
	issuer TEXT NOT NULL,
	state TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE unit (
	id TEXT NOT NULL,
	at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE upstream_revocation (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	connection TEXT NOT NULL,
	outcome TEXT NOT NULL,
	tries BIGINT NOT NULL,
	due BIGINT NOT NULL,
	sealed BLOB,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE TABLE upstream_session (
	tenant TEXT NOT NULL,
	session TEXT NOT NULL,
	provider TEXT NOT NULL,
	sid TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	sealed BLOB,
	PRIMARY KEY (tenant, session)
);
CREATE TABLE workload (
	tenant TEXT NOT NULL,
	instance TEXT NOT NULL,
	issuer TEXT NOT NULL,
	rule TEXT NOT NULL,
	subject TEXT NOT NULL,
	ends_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (tenant, instance)
);
CREATE INDEX tombstone_ident ON tombstone (tenant, ident);
CREATE INDEX unit_at ON unit (at);
CREATE INDEX idempotency_at ON idempotency (at);
CREATE INDEX principal_blueprint ON principal (tenant, blueprint);
CREATE UNIQUE INDEX principal_living_name ON principal (tenant, kind, name) WHERE state != 'retired';
CREATE INDEX principal_owner ON principal (tenant, owner);
CREATE INDEX principal_parent ON principal (tenant, parent);
CREATE INDEX principal_task ON principal (tenant, task);
CREATE INDEX credential_principal ON credential (tenant, principal);
CREATE UNIQUE INDEX credential_thumbprint ON credential (tenant, thumbprint);
CREATE UNIQUE INDEX server_name ON server (tenant, name);
CREATE UNIQUE INDEX tool_name ON tool (tenant, server, name);
CREATE INDEX task_agent ON task (tenant, agent, state);
CREATE INDEX task_consent ON task (tenant, consent, state);
CREATE INDEX task_deadline ON task (tenant, state, deadline);
CREATE INDEX task_user ON task (tenant, user, state);
CREATE INDEX consent_pair ON consent (tenant, user, agent, state);
CREATE UNIQUE INDEX envelope_digest ON envelope (tenant, digest);
CREATE INDEX envelope_task ON envelope (tenant, task, depth);
CREATE INDEX token_agent ON token (tenant, agent, state);
CREATE INDEX token_expiry ON token (tenant, expires_at);
CREATE INDEX token_principal ON token (tenant, principal, state);
CREATE INDEX token_task ON token (tenant, task, state);
CREATE INDEX token_user ON token (tenant, user, state);
CREATE UNIQUE INDEX capability_call ON capability (tenant, call_id) WHERE call_id <> '';
CREATE INDEX decision_agent ON decision (tenant, agent, id);
CREATE INDEX decision_call ON decision (tenant, call);
CREATE INDEX approval_by_agent ON approval (tenant, agent, decided_at);
CREATE INDEX approval_by_key ON approval (tenant, "key", id);
CREATE INDEX approval_by_state ON approval (tenant, state, expires_at);
CREATE INDEX approval_by_task ON approval (tenant, task);
CREATE INDEX approval_by_user ON approval (tenant, user, requested_at);
CREATE INDEX kill_by_state ON kill (tenant, state);
CREATE INDEX ledger_entries_time ON ledger_entries (tenant, latest);
CREATE INDEX capability_task ON capability (tenant, task) WHERE state = 'live';
CREATE INDEX capability_open ON capability (tenant, consumed_at) WHERE state = 'consumed';
CREATE INDEX replay_expiry ON replay (tenant, keep_until);
CREATE INDEX client_principal ON client (tenant, principal);
CREATE INDEX client_invitation_expiry ON client_invitation (tenant, expires_at);
CREATE INDEX token_status_expiry ON token_status (tenant, expires_at);
CREATE UNIQUE INDEX session_secret ON session (tenant, secret);
CREATE INDEX session_human ON session (tenant, human, ended_at);
CREATE INDEX session_expiry ON session (tenant, expires_at);
CREATE UNIQUE INDEX passkey_credential ON passkey (tenant, credential);
CREATE INDEX passkey_human ON passkey (tenant, human);
CREATE UNIQUE INDEX enrolment_secret ON enrolment (tenant, secret);
CREATE INDEX enrolment_human ON enrolment (tenant, human, state);
CREATE INDEX challenge_expiry ON challenge (tenant, keep_until);
CREATE UNIQUE INDEX trusted_issuer_name ON trusted_issuer (tenant, name) WHERE state = 'active';
CREATE UNIQUE INDEX trusted_issuer_issuer ON trusted_issuer (tenant, issuer) WHERE state = 'active';
CREATE INDEX trust_rule_issuer ON trust_rule (tenant, issuer, state);
CREATE INDEX trust_rule_agent ON trust_rule (tenant, agent, state);
CREATE INDEX workload_subject ON workload (tenant, issuer, subject, ends_at);
CREATE INDEX workload_rule ON workload (tenant, rule, ends_at);
CREATE INDEX workload_end ON workload (tenant, ended_at, ends_at);
CREATE INDEX pending_request_expiry ON pending_request (tenant, expires_at);
CREATE INDEX pending_request_client ON pending_request (tenant, client);
CREATE INDEX authorization_code_expiry ON authorization_code (tenant, expires_at);
CREATE INDEX token_family_pair ON token_family (tenant, user, client, state);
CREATE INDEX token_family_end ON token_family (tenant, ends_at);
CREATE INDEX refresh_token_family ON refresh_token (tenant, family);
CREATE UNIQUE INDEX provider_name ON provider (tenant, name) WHERE retired = 0;
CREATE UNIQUE INDEX connection_place ON connection (tenant, user, agent, provider, scopes) WHERE state <> 'ended';
CREATE INDEX connection_agent ON connection (tenant, agent) WHERE state <> 'ended';
CREATE INDEX connect_flow_user ON connect_flow (tenant, user);
CREATE INDEX connect_flow_expiry ON connect_flow (tenant, expires_at);
CREATE INDEX upstream_revocation_due ON upstream_revocation (tenant, due) WHERE outcome = 'open';
CREATE INDEX upstream_revocation_connection ON upstream_revocation (tenant, connection);
CREATE INDEX capability_stopped ON capability (tenant, settled_at) WHERE state = 'stopped';
CREATE UNIQUE INDEX identity_provider_name ON identity_provider (tenant, name) WHERE standing != 'retired';
CREATE UNIQUE INDEX identity_provider_issuer ON identity_provider (tenant, issuer) WHERE standing != 'retired';
CREATE UNIQUE INDEX linked_identity_subject ON linked_identity (tenant, issuer, subject);
CREATE INDEX linked_identity_human ON linked_identity (tenant, human);
CREATE INDEX upstream_session_sid ON upstream_session (tenant, provider, sid);
CREATE INDEX upstream_session_expiry ON upstream_session (tenant, expires_at);
CREATE INDEX sign_on_pair ON sign_on (tenant, user, client);
CREATE INDEX logout_notice_due ON logout_notice (tenant, outcome, due);
CREATE UNIQUE INDEX device_request_code ON device_request (tenant, user_code);
CREATE INDEX device_request_expiry ON device_request (tenant, expires_at);
CREATE INDEX device_request_client ON device_request (tenant, client, expires_at);
CREATE INDEX device_mark_who ON device_mark (tenant, kind, who, expires_at);
CREATE INDEX device_mark_expiry ON device_mark (tenant, expires_at);
CREATE UNIQUE INDEX trusted_domain_name ON trusted_domain (tenant, name) WHERE state = 'active';
CREATE UNIQUE INDEX trusted_domain_issuer ON trusted_domain (tenant, issuer, direction) WHERE state = 'active';
CREATE INDEX domain_rule_domain ON domain_rule (tenant, domain, state);
CREATE INDEX domain_run_rule ON domain_run (tenant, rule, user_id, agent, ends_at);
CREATE INDEX domain_run_domain ON domain_run (tenant, domain, ends_at);
CREATE INDEX domain_run_task ON domain_run (tenant, task);
CREATE INDEX domain_run_end ON domain_run (tenant, ends_at);
CREATE INDEX history_until ON history (tenant, until);
CREATE INDEX seen_until ON seen (tenant, until);
CREATE INDEX backchannel_request_person ON backchannel_request (tenant, person, expires_at);
CREATE INDEX backchannel_request_agent ON backchannel_request (tenant, agent, expires_at);
CREATE INDEX backchannel_request_expiry ON backchannel_request (tenant, expires_at);
CREATE INDEX backchannel_notice_due ON backchannel_notice (tenant, outcome, due);
CREATE INDEX companion_user ON companion (tenant, user);
CREATE INDEX companion_consent ON companion (tenant, consent);
CREATE UNIQUE INDEX relation_model_id ON relation_model (tenant, store, id);
CREATE INDEX relation_tuple_user ON relation_tuple (tenant, store, user, object);
CREATE INDEX breakglass_state ON breakglass (tenant, state, id);
CREATE INDEX source_at ON source (tenant, holder, at, id);
CREATE INDEX consent_agent ON consent (tenant, agent, state, id);
CREATE INDEX principal_by_name ON principal (tenant, kind, name, id, state, owner, blueprint, environment);
CREATE INDEX principal_by_changed_at ON principal (tenant, kind, changed_at, id, name, state, owner, blueprint, environment);
CREATE INDEX principal_by_id ON principal (tenant, kind, id, name, state, owner, blueprint, environment);
CREATE INDEX decision_unpermitted ON decision (tenant, effect, id) WHERE effect <> 'permit';
CREATE INDEX attention_waiting ON attention (tenant, person, waits, rank, expires_at, approval);
CREATE INDEX attention_alike ON attention (tenant, alike, answered_at);
CREATE INDEX attention_approval ON attention (tenant, approval);
CREATE INDEX attention_asked ON attention (tenant, person, asked_at);
CREATE INDEX attention_answered ON attention (tenant, person, answered_at);
CREATE INDEX attention_action ON attention (tenant, agent, action, answered_at);
CREATE INDEX attention_age ON attention (tenant, asked_at);
CREATE INDEX agent_case_by_state ON agent_case (tenant, state, expires_at);
CREATE INDEX agent_case_by_task ON agent_case (tenant, task, state);
CREATE INDEX agent_case_by_agent ON agent_case (tenant, agent, state);
CREATE INDEX push_device_of ON push_device (tenant, person, id);
CREATE INDEX message_due ON message (tenant, state, due);
CREATE INDEX message_of ON message (tenant, person, stated_at);
CREATE INDEX message_about ON message (tenant, about);
CREATE INDEX message_stated ON message (tenant, stated_at, id);
CREATE INDEX pending_change_state ON pending_change (tenant, state, id);
CREATE INDEX approval_grant_by_family ON approval_grant (tenant, family, until);
CREATE INDEX oncall_shift_by_roster ON oncall_shift (tenant, roster, ends_at);
CREATE INDEX absence_by_end ON absence (tenant, ends_at);
