import swagger from '@fastify/swagger';
import type { Http } from './http.ts';

export interface OpenApiOptions {
  title: string;
  description: string;
  /** Of the API, not of the program: it changes when an answer does. */
  version: string;
}

/** Describes the routes that are added after it, from their own schemas, and serves the document at /openapi.json. */
export async function addOpenApi(app: Http, info: OpenApiOptions): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info,
      components: { securitySchemes: { admissionToken: { type: 'http', scheme: 'bearer' } } },
    },
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, index) =>
        typeof schema['$id'] === 'string' ? schema['$id'] : `schema-${index}`,
    },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
