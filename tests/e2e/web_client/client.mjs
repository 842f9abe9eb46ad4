// Calls a service as a web page does, by @connectrpc/connect-web, and prints what it saw as JSON.
// Arguments: the door's URL, a file of descriptors, json or binary, and a user.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

const [baseUrl, descriptors, form, userId] = process.argv.slice(2);
const files = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const service = files.getService("workflows.WorkflowsService");
const useBinaryFormat = form === "binary";
const client = createClient(service, createConnectTransport({ baseUrl, useBinaryFormat }));

// How a call ends that is refused.
async function refusal(call) {
  try {
    await call;
    return "answered";
  } catch (error) {
    const { code, details } = ConnectError.from(error);
    return { code: Code[code], details: details.map((detail) => detail.type) };
  }
}

const asked = {
  userId, name: "From a page", payload: '{"ü": 1}', kind: "script", interval: 5,
  maxConsecutiveJobFailuresAllowed: 2, idempotencyKey: "page-1",
};
const seen = {};
const { id } = await client.createWorkflow(asked);
await client.createWorkflow(asked, {
  onTrailer: (trailer) => (seen.replayed = trailer.get("x-replayed")),
});
const found = await client.getWorkflow({ id, userId }, {
  onTrailer: (trailer) => (seen.version = trailer.get("x-workflow-version")),
});
seen.workflow = [found.name, found.payload, found.interval, String(found.generation)];
const { workflows } = await client.listWorkflows({ userId, filters: { kind: "script" } });
seen.listed = workflows.map((workflow) => workflow.id === id);
seen.invalid = await refusal(client.createWorkflow({ ...asked, name: "" }));
seen.missing = await refusal(client.getWorkflow({ id, userId: "somebody else" }));
const late = { headers: { "Connect-Timeout-Ms": "0" } };
seen.late = (await refusal(client.getWorkflow({ id, userId }, late))).code;
console.log(JSON.stringify(seen));
