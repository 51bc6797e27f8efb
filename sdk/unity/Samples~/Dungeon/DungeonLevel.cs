// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using UnityEngine;

namespace Segue.Samples
{
    /// <summary>Two rooms and a corridor out of primitives: what can be touched, and the torches. The main thread's.</summary>
    public sealed class DungeonLevel
    {
        /// <summary>Where the door goes when it opens.</summary>
        public static readonly Vector3 DoorOpen = new Vector3(0f, -2f, 26f);

        private static readonly Color Stone = new Color(0.30f, 0.29f, 0.33f);
        private readonly List<Light> _torches = new List<Light>();
        private readonly Transform _root;
        private float _flare;

        /// <summary>Build it under an object.</summary>
        public DungeonLevel(Transform root)
        {
            _root = root;
            RenderSettings.ambientLight = new Color(0.12f, 0.12f, 0.16f);
            Box("Floor", new Vector3(0f, -0.5f, 20f), new Vector3(24f, 1f, 64f), new Color(0.20f, 0.19f, 0.22f));
            foreach (float side in new[] { -1f, 1f })
            {
                Box("Wall", new Vector3(10f * side, 1.5f, 8f), new Vector3(1f, 3f, 36f), Stone);
                Box("Wall", new Vector3(6.5f * side, 1.5f, 26f), new Vector3(8f, 3f, 1f), Stone);
                Box("Wall", new Vector3(10f * side, 1.5f, 39f), new Vector3(1f, 3f, 26f), Stone);
                for (int torch = 0; torch < 5; torch++) Torch(new Vector3(9f * side, 2.2f, -6f + 12f * torch));
            }
            Box("Wall", new Vector3(0f, 1.5f, -10f), new Vector3(21f, 3f, 1f), Stone);
            Box("Wall", new Vector3(0f, 1.5f, 52f), new Vector3(21f, 3f, 1f), Stone);
            Box("Pillar", new Vector3(-4f, 1.5f, 6f), new Vector3(1.5f, 3f, 1.5f), Stone);
            Box("Pillar", new Vector3(4f, 1.5f, 14f), new Vector3(1.5f, 3f, 1.5f), Stone);
            Door = Box("Boss door", new Vector3(0f, 1.5f, 26f), new Vector3(5f, 3f, 0.6f), new Color(0.45f, 0.25f, 0.10f));
            Chest = Box("Chest", new Vector3(-7.5f, 0.4f, 19f), new Vector3(1.2f, 0.8f, 0.8f), new Color(0.85f, 0.65f, 0.15f));
            Enemies = new List<Transform>
            {
                Body("Enemy", PrimitiveType.Sphere, new Vector3(5f, 0.7f, 10f), 1.4f, Color.red),
                Body("Enemy", PrimitiveType.Sphere, new Vector3(-5f, 0.7f, 16f), 1.4f, Color.red),
            };
            Boss = Body("Boss", PrimitiveType.Cylinder, new Vector3(0f, 2f, 44f), 2f, new Color(0.5f, 0f, 0.6f));
            var player = new GameObject("Player");
            player.transform.SetParent(root, false);
            player.transform.localPosition = new Vector3(0f, 1f, -6f);
            Player = player.AddComponent<CharacterController>();
            Body("Body", PrimitiveType.Capsule, new Vector3(0f, 0f, 0f), 1f, new Color(0.3f, 0.6f, 1f)).SetParent(player.transform, false);
        }

        /// <summary>Who is moved by the keys.</summary>
        public CharacterController Player { get; }

        /// <summary>Opened by coming near.</summary>
        public Transform Chest { get; }

        /// <summary>In the way to the boss.</summary>
        public Transform Door { get; }

        /// <summary>Those in the first room.</summary>
        public List<Transform> Enemies { get; }

        /// <summary>Who waits behind the door.</summary>
        public Transform Boss { get; }

        /// <summary>Let the torches flare up: 1 for a bar, less for a beat.</summary>
        public void Flare(float strength) => _flare = Mathf.Max(_flare, strength);

        /// <summary>Once a frame.</summary>
        public void Flicker(float time, float elapsed)
        {
            _flare = Mathf.Max(0f, _flare - 2.5f * elapsed);
            for (int torch = 0; torch < _torches.Count; torch++)
                _torches[torch].intensity = 0.9f + 0.4f * Mathf.PerlinNoise(5f * time, torch) + 2f * _flare;
        }

        /// <summary>Give something another colour.</summary>
        public static void Paint(Component thing, Color color) => thing.GetComponent<Renderer>().material.color = color;

        private Transform Box(string name, Vector3 place, Vector3 size, Color color)
        {
            var made = Make(name, PrimitiveType.Cube, place, color);
            made.localScale = size;
            return made;
        }

        private Transform Body(string name, PrimitiveType kind, Vector3 place, float size, Color color)
        {
            var made = Make(name, kind, place, color);
            made.localScale = size * Vector3.one;
            // Bodies are walked through: only walls are solid.
            made.GetComponent<Collider>().enabled = false;
            return made;
        }

        private Transform Make(string name, PrimitiveType kind, Vector3 place, Color color)
        {
            var made = GameObject.CreatePrimitive(kind);
            made.name = name;
            made.transform.SetParent(_root, false);
            made.transform.localPosition = place;
            Paint(made.transform, color);
            return made.transform;
        }

        private void Torch(Vector3 place)
        {
            var light = new GameObject("Torch").AddComponent<Light>();
            light.transform.SetParent(_root, false);
            light.transform.localPosition = place;
            light.type = LightType.Point;
            light.color = new Color(1f, 0.6f, 0.25f);
            light.range = 12f;
            _torches.Add(light);
        }
    }
}
