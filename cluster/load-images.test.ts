import { describe, expect, it } from 'vitest';
import { fullName, parseManifest } from './load-images.ts';

describe('fullName', () => {
  it.each([
    ['podcap:latest', 'docker.io/library/podcap:latest'],
    ['antrea/agent:v2', 'docker.io/antrea/agent:v2'],
    ['localhost/pause:local', 'localhost/pause:local'],
    ['registry.example/a/b:1', 'registry.example/a/b:1'],
    ['host:5000/a:1', 'host:5000/a:1'],
    ['docker.io/library/podcap:latest', 'docker.io/library/podcap:latest'],
  ])('of %s is %s', (name, full) => {
    expect(fullName(name)).toBe(full);
  });
});

describe('parseManifest', () => {
  it('returns the names and what identifies the image', () => {
    const manifest = [{ Config: 'abc123.json', RepoTags: ['podcap:latest'], Layers: ['l.tar'] }];
    expect(parseManifest(JSON.stringify(manifest))).toEqual([
      { names: ['docker.io/library/podcap:latest'], configDigest: 'abc123' },
    ]);
  });

  it('reads the paths of blobs that docker writes since version 25', () => {
    const manifest = [{ Config: 'blobs/sha256/abc123', RepoTags: ['podcap:latest'] }];
    expect(parseManifest(JSON.stringify(manifest))[0]?.configDigest).toBe('abc123');
  });

  it.each([['{}'], ['[{}]'], ['[{"Config": "a"}]']])('refuses %s', (manifest) => {
    expect(() => parseManifest(manifest)).toThrow('not a docker-archive');
  });
});
