import { expect, test } from 'vitest';
import { linkReaderHeader } from '../../link/protocol.ts';
import { type ReaderPlace, readerPlaces } from './reader-places.ts';

const from = (reader: string) => ({ [linkReaderHeader]: reader });

function end(place: ReaderPlace | undefined): void {
  if (place?.kind !== 'taken') throw new Error('no place was taken');
  place[Symbol.dispose]();
}

test('one reader leaves a quarter of the places to others', () => {
  const places = readerPlaces(4);
  const [first] = [places.take(from('ann')), places.take(from('ann')), places.take(from('ann'))];
  expect(places.take(from('ann'))).toEqual({ kind: 'full', mostPerReader: 3 });
  places.take(from('bob'));
  expect(places.take(from('dan'))).toEqual({ kind: 'full', mostPerReader: undefined });
  expect(places.taken()).toBe(4);
  end(first);
  // Twice gives up one place.
  end(first);
  expect(places.take(from('ann')).kind).toBe('taken');
  expect(places.take(from('dan')).kind).toBe('full');
});

test('a single place is for anyone, and none for nobody', () => {
  expect(readerPlaces(1).take(from('ann')).kind).toBe('taken');
  expect(readerPlaces(0).take(from('ann'))).toEqual({ kind: 'full', mostPerReader: undefined });
});

test.for([{}, { [linkReaderHeader]: '' }])('of an older hub, nobody knows who reads: %j', (headers) => {
  const places = readerPlaces(3);
  for (let taken = 0; taken < 3; taken += 1) expect(places.take(headers).kind).toBe('taken');
  expect(places.take(headers)).toEqual({ kind: 'full', mostPerReader: undefined });
});

test.for(['__proto__', 'constructor'])('a reader may be named like anything: %s', (name) => {
  const places = readerPlaces(4);
  end(places.take(from(name)));
  expect(places.taken()).toBe(0);
});
